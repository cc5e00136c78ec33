"""TLS: recent versions, forward secrecy, and errors that name the file."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from appliance.errors import ConfigurationError
from appliance.tls import client_context, renew, server_context
from tests.builders.certificates import Authority, Pair


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def pair(authority: Authority) -> Pair:
    return authority.issue("server")


def shake(server: ssl.SSLContext, client: ssl.SSLContext) -> ssl.SSLObject:
    """Let the two greet each other in memory; return the server's side. Raises ssl.SSLError."""
    upwards, downwards = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(upwards, downwards, server_side=True)
    theirs = client.wrap_bio(downwards, upwards, server_hostname="localhost")
    for _ in range(4):
        for side in (theirs, ours):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ours


def trusting(authority: Authority) -> ssl.SSLContext:
    """A client that trusts the authority."""
    return ssl.create_default_context(cafile=str(authority.certificate))


def test_a_client_of_today_gets_in(authority: Authority, pair: Pair) -> None:
    context = server_context(pair.certificate, pair.key, None, require_client=False)
    assert shake(context, trusting(authority)).version() == "TLSv1.3"


def test_a_client_of_tls_1_2_gets_in_with_forward_secrecy(authority: Authority, pair: Pair) -> None:
    client = trusting(authority)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    cipher = shake(server_context(pair.certificate, pair.key, None, require_client=False), client).cipher()
    assert cipher is not None and cipher[0].startswith("ECDHE-")


def test_a_weak_cipher_is_refused(authority: Authority, pair: Pair) -> None:
    client = trusting(authority)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers("AES256-SHA256:ECDHE-ECDSA-AES256-SHA384")
    with pytest.raises(ssl.SSLError):
        shake(server_context(pair.certificate, pair.key, None, require_client=False), client)


def test_older_versions_are_not_spoken(pair: Pair) -> None:
    context = server_context(pair.certificate, pair.key, None, require_client=False)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_client_without_a_certificate_is_refused_where_one_is_required(authority: Authority, pair: Pair) -> None:
    context = server_context(pair.certificate, pair.key, authority.certificate, require_client=True)
    with pytest.raises(ssl.SSLError):
        shake(context, trusting(authority))
    known = trusting(authority)
    client = authority.issue("client")
    known.load_cert_chain(client.certificate, client.key)
    assert shake(context, known).getpeercert()


def test_a_client_of_another_authority_is_refused(authority: Authority, pair: Pair, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "Stranger").issue("strange client")
    client = trusting(authority)
    client.load_cert_chain(stranger.certificate, stranger.key)
    with pytest.raises(ssl.SSLError):
        shake(server_context(pair.certificate, pair.key, authority.certificate, require_client=True), client)


def test_an_error_names_the_file_that_is_wrong(authority: Authority, pair: Pair, tmp_path: Path) -> None:
    absent, other = tmp_path / "absent.pem", authority.issue("other")
    empty = tmp_path / "empty.pem"
    empty.touch()
    locked = authority.issue("locked", password=b"hush")
    for certificate, key, ca, named in (
        (absent, pair.key, None, absent),
        (pair.certificate, absent, None, absent),
        (pair.certificate, other.key, None, other.key),
        (empty, pair.key, None, empty),
        (pair.certificate, pair.key, empty, empty),
        (locked.certificate, locked.key, None, locked.key),
    ):
        with pytest.raises(ConfigurationError) as refusal:
            server_context(certificate, key, ca, require_client=False)
        assert str(named) in str(refusal.value)
        assert refusal.value.hint


def test_requiring_clients_without_an_authority_is_refused(pair: Pair) -> None:
    with pytest.raises(ConfigurationError):
        server_context(pair.certificate, pair.key, None, require_client=True)


def test_a_client_of_ours_trusts_its_authority_alone_and_shows_its_certificate(
    authority: Authority, pair: Pair, tmp_path: Path
) -> None:
    own = authority.issue("box")
    server = server_context(pair.certificate, pair.key, authority.certificate, require_client=True)
    client = client_context(own.certificate, own.key, authority.certificate)
    assert shake(server, client).getpeercert(binary_form=True) == ssl.PEM_cert_to_DER_cert(own.certificate.read_text())
    (tmp_path / "other").mkdir()
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(server, client_context(own.certificate, own.key, Authority(tmp_path / "other").certificate))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(server, client_context(own.certificate, own.key, None))


def test_a_renewed_certificate_is_shown_on_the_next_connection(authority: Authority, pair: Pair) -> None:
    own = authority.issue("box")
    server = server_context(pair.certificate, pair.key, authority.certificate, require_client=True)
    client = client_context(own.certificate, own.key, authority.certificate)
    authority.issue("box")  # over the same files
    renew(client, own.certificate, own.key, authority.certificate)
    assert shake(server, client).getpeercert(binary_form=True) == ssl.PEM_cert_to_DER_cert(own.certificate.read_text())


def test_a_client_names_the_file_that_is_missing(authority: Authority, tmp_path: Path) -> None:
    own = authority.issue("box")
    with pytest.raises(ConfigurationError, match=r"missing\.pem"):
        client_context(own.certificate, own.key, tmp_path / "missing.pem")
