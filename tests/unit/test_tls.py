"""TLS: recent versions, forward secrecy, and errors that name the file."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from appliance.errors import ConfigurationError
from appliance.tls import client_context, renew, server_context
from pki import authority as locksmith
from pki import profiles
from tests.builders.certificates import Authority, Pair

NOW = dt.datetime.now(dt.UTC)


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
    assert context.options & ssl.OP_NO_RENEGOTIATION and context.options & ssl.OP_NO_COMPRESSION


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


def _again(server: ssl.SSLContext, client: ssl.SSLContext) -> list[bool]:
    """Let a client come twice, the second time with the session of the first; was each a session taken up again?"""
    session, found = None, []
    for _ in range(2):
        upwards, downwards = ssl.MemoryBIO(), ssl.MemoryBIO()
        ours = server.wrap_bio(upwards, downwards, server_side=True)
        theirs = client.wrap_bio(downwards, upwards, server_hostname="localhost", session=session)
        for side in (theirs, ours) * 4:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
        ours.write(b"x")  # the tickets of TLS 1.3 come with the first bytes
        theirs.read(1)
        session = theirs.session
        found.append(bool(ours.session_reused))
    return found


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_whoever_shows_a_certificate_is_checked_anew_each_time(
    authority: Authority, pair: Pair, version: ssl.TLSVersion
) -> None:
    own = authority.issue("box")
    client = client_context(own.certificate, own.key, authority.certificate)
    client.maximum_version = version
    assert _again(server_context(pair.certificate, pair.key, None, require_client=False), client) == [False, True]
    strict = server_context(pair.certificate, pair.key, authority.certificate, require_client=True)
    assert _again(strict, client) == [False, False]
    assert strict.num_tickets == 0  # none is sent in vain


class Two:
    """A door that trusts two authorities, each with a modality and a list of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authorities = [locksmith.create(name, now=NOW) for name in ("Old", "New")]
        self.ca, self.crl = folder / "both.pem", folder / "crl.pem"
        self.ca.write_bytes(b"".join(one.pem for one in self.authorities))
        self.door = self._pair("door", self.authorities[0].issue(profiles.server("localhost"), now=NOW))
        orders = [profiles.modality("CT1", addresses=["192.0.2.7"], key_type="p256")] * 2
        self.clients = [
            client_context(*self._pair(f"client{place}", one.issue(order, now=NOW)), self.ca)
            for place, (one, order) in enumerate(zip(self.authorities, orders, strict=True))
        ]
        self.lists = [
            one.revocation_list([], number=1, now=NOW).public_bytes(serialization.Encoding.PEM)
            for one in self.authorities
        ]

    def _pair(self, name: str, issued: locksmith.Issued) -> tuple[Path, Path]:
        paths = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        for path, file in zip(paths, ("fullchain.pem", "key.pem"), strict=True):
            path.write_bytes(issued.files()[file])
        return paths

    def come(self, content: bytes, client: int) -> None:
        """Shake hands with a door whose list file holds `content`. Raises ssl.SSLError, ConfigurationError."""
        self.crl.write_bytes(content)
        shake(server_context(*self.door, self.ca, require_client=True, crl=self.crl), self.clients[client])


def test_each_of_several_authorities_needs_its_own_list(tmp_path: Path) -> None:
    two = Two(tmp_path)
    two.come(two.lists[0], 0)
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get certificate CRL"):
        two.come(two.lists[0], 1)
    for client in (0, 1):
        two.come(b"".join(two.lists), client)


def test_a_list_file_makes_nobody_an_authority(tmp_path: Path) -> None:
    two = Two(tmp_path)
    two.ca.write_bytes(two.authorities[0].pem)
    with pytest.raises(ConfigurationError, match="trusted as an authority"):
        two.come(b"".join(two.lists) + two.authorities[1].pem, 1)


def test_a_file_that_vanishes_between_two_looks_is_told_as_such(
    authority: Authority, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.tls._readable", lambda path: None)
    pair.key.unlink()
    with pytest.raises(ConfigurationError, match="not a certificate and its key"):
        server_context(pair.certificate, pair.key, None, require_client=False)
