"""The DICOMweb client against a strict store: what goes over the line, what comes back, whom it trusts."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.dicomweb.client import DicomwebClient, NotDicom, Refused
from appliance.dicomweb.endpoint import Endpoint
from appliance.dicomweb.faults import NoAnswer, NotReached, NotTrusted
from appliance.dicomweb.outgoing import Damaged
from appliance.errors import ConfigurationError
from tests.builders.certificates import Authority
from tests.builders.instances import ct
from tests.builders.objects import Objects, damaged, instance
from tests.partners.dicom_store import RESET, SILENT, DicomStore, Reply
from tests.partners.ports import free_ports

MOST = 1 << 20


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Objects(tmp_path / "archive")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DicomStore]:
    with DicomStore(tmp_path / "store") as found:
        yield found


def client_of(url: str, **options: object) -> DicomwebClient:
    return DicomwebClient(replace(Endpoint(url, connect_timeout=2, read_timeout=0.5), **options))  # type: ignore[arg-type]


@pytest.fixture
def client(store: DicomStore) -> Iterator[DicomwebClient]:
    with closing(client_of(store.url)) as found:
        yield found


def test_stores_whole_files_with_their_exact_length(
    store: DicomStore, client: DicomwebClient, objects: Objects
) -> None:
    rows = objects.rows(3)
    reply = client.store([instance(row) for row in rows])
    assert reply.status == 200
    assert set(reply.report.stored) == {row.sop_uid for row in rows}
    assert [store.objects[row.sop_uid].read_bytes() for row in rows if row.sop_uid] == [
        row.blob.path.read_bytes() for row in rows if row.blob
    ]
    method, path, headers = store.requests[0]
    assert (method, path) == ("POST", "/dicom-web/studies")
    assert "Transfer-Encoding" not in headers
    assert int(headers["Content-Length"]) > sum(row.blob.file_size for row in rows if row.blob)
    assert headers["User-Agent"].startswith("dicom-edge-appliance/")
    assert "Cookie" not in headers


def test_reads_back_the_digest_of_the_data_set(client: DicomwebClient, objects: Objects) -> None:
    row = objects.row()
    client.store([instance(row)])
    assert row.blob is not None
    held = client.read(row.study_uid, row.series_uid, str(row.sop_uid), most=MOST)
    assert held is not None
    assert (held.digest, held.length) == (row.blob.digest, row.blob.length)
    assert held.transfer_syntax_uid == row.blob.transfer_syntax_uid
    assert client.read("1.2", "1.3", "1.4", most=MOST) is None


def test_what_is_longer_than_it_should_be_is_not_read_to_its_end(client: DicomwebClient, objects: Objects) -> None:
    row = objects.row(ct(Rows=1000, Columns=1000, PixelData=bytes(2_000_000)))
    client.store([instance(row)])
    held = client.read(row.study_uid, row.series_uid, str(row.sop_uid), most=1000)
    assert row.blob is not None
    assert held is not None
    assert held.length < 600_000
    assert held.digest != row.blob.digest


def test_sends_the_configured_headers_and_the_token_of_the_moment(
    store: DicomStore, objects: Objects, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    with closing(client_of(store.url, headers={"x-tenant": "clinic-7"}, token_file=token)) as client:
        client.store([instance(objects.row())])
        token.write_text("second")
        client.read("1.2", "1.3", "1.4", most=MOST)
    sent = [(headers["x-tenant"], headers["Authorization"]) for _, _, headers in store.requests]
    assert sent == [("clinic-7", "Bearer first"), ("clinic-7", "Bearer second")]


@pytest.mark.parametrize("text", [None, "", "two words", "line\nline"])
def test_a_token_file_without_a_token_is_a_matter_of_configuration(
    store: DicomStore, tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "token"
    if text is not None:
        path.write_text(text)
    with closing(client_of(store.url, token_file=path)) as client, pytest.raises(ConfigurationError) as caught:
        client.knock()
    assert "words" not in caught.value.message
    assert not store.requests


def test_redirects_are_answers_not_orders(store: DicomStore, client: DicomwebClient, objects: Objects) -> None:
    store.rule = lambda _: Reply(307, headers={"Location": "http://127.0.0.1:9/studies"})
    assert client.store([instance(objects.row())]).status == 307
    assert len(store.requests) == 1


def test_nothing_is_sent_to_another_host(client: DicomwebClient) -> None:
    for url in ("http://127.0.0.2:80/x", "https://elsewhere.example/x"):
        with pytest.raises(NotTrusted):
            client.transport.send("GET", url, {})


def test_the_environment_plays_no_part(
    store: DicomStore, client: DicomwebClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert client.knock().status == 200


def test_nobody_there_is_told_apart_from_an_answer_that_did_not_come(
    store: DicomStore, client: DicomwebClient, objects: Objects
) -> None:
    (port,) = free_ports(1)
    row = instance(objects.row())
    with closing(client_of(f"http://127.0.0.1:{port}/dicom-web")) as nobody, pytest.raises(NotReached):
        nobody.store([row])
    for status, silent in ((RESET, False), (SILENT, True)):
        store.rule = lambda _, status=status: Reply(status)  # type: ignore[misc]
        with pytest.raises(NoAnswer) as caught:
            client.store([row])
        assert caught.value.silent is silent
        assert caught.value.retryable


def test_an_answer_cut_short_is_none(store: DicomStore, client: DicomwebClient) -> None:
    store.rule = lambda _: Reply(200, b"{}", {"Content-Length": "500"})
    with pytest.raises(NoAnswer):
        client.knock()


def test_a_damaged_file_is_not_delivered(store: DicomStore, client: DicomwebClient, objects: Objects) -> None:
    good, bad = objects.row(), damaged(objects.row())
    with pytest.raises(Damaged) as caught:
        client.store([instance(good), instance(bad)])
    assert caught.value.index == 1
    assert not store.objects


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(403), Refused),
        (Reply(500), Refused),
        (Reply(200, b"<html>", {"Content-Type": "text/html"}), NotDicom),
        (Reply(200, b"--b--\r\n", {"Content-Type": "multipart/related; boundary=b"}), NotDicom),
        (Reply(200, b"--b\r\n\r\nDICM", {"Content-Type": "multipart/related; boundary=b"}), NoAnswer),
    ],
)
def test_reading_back_something_else_says_so(
    store: DicomStore, client: DicomwebClient, reply: Reply, kind: type[Exception]
) -> None:
    store.before_read = lambda _: reply
    with pytest.raises(kind):
        client.read("1.2", "1.3", "1.4", most=MOST)


def test_what_is_no_dicom_file_equals_nothing(store: DicomStore, client: DicomwebClient) -> None:
    store.before_read = lambda _: Reply(200, b"junk", {"Content-Type": "application/dicom"})
    held = client.read("1.2", "1.3", "1.4", most=MOST)
    assert held is not None
    assert held.digest == ""


def test_an_answer_that_trickles_for_ever_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = threading.Event()

        def trickle() -> None:
            caller, _ = listener.accept()
            with caller:
                caller.recv(65536)
                caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                while not ended.wait(0.05):
                    try:
                        caller.sendall(b" ")
                    except OSError:
                        return

        thread = threading.Thread(target=trickle)
        thread.start()
        port = listener.getsockname()[1]
        with closing(client_of(f"http://127.0.0.1:{port}/d")) as client, pytest.raises(NoAnswer) as caught:
            client.knock()
        assert caught.value.silent
        ended.set()
        thread.join(10)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_shows_its_certificate_and_checks_the_servers(tmp_path: Path, authority: Authority, objects: Objects) -> None:
    server, own = authority.issue("server"), authority.issue("box")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.certificate)
    context.load_cert_chain(server.certificate, server.key)
    context.verify_mode = ssl.CERT_REQUIRED
    with DicomStore(tmp_path / "store", context=context) as store:
        trusted = {"tls_ca": authority.certificate, "tls_certificate": own.certificate, "tls_key": own.key}
        with closing(client_of(store.url, **trusted)) as client:
            assert client.store([instance(objects.row())]).status == 200
        with closing(client_of(store.url)) as client, pytest.raises(NotTrusted) as caught:
            client.knock()
        assert "certificate" in caught.value.message
        elsewhere = store.url.replace("127.0.0.1", "127.0.0.2")
        with closing(client_of(elsewhere, **trusted)) as client, pytest.raises((NotTrusted, NotReached)):
            client.knock()
        # Without a certificate of ours: TLS 1.3 tells only after the handshake, as an alert or a reset.
        nameless = client_of(store.url, tls_ca=authority.certificate)
        with closing(nameless) as client, pytest.raises((NotTrusted, NoAnswer)):
            client.knock()


def test_old_tls_is_refused(tmp_path: Path, authority: Authority) -> None:
    server = authority.issue("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.certificate, server.key)
    context.set_ciphers("AES128-SHA:@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        DicomStore(tmp_path / "store", context=context) as store,
        closing(client_of(store.url, tls_ca=authority.certificate)) as client,
        pytest.raises(NotTrusted),
    ):
        client.knock()


def test_goes_through_a_proxy_and_no_other_way(store: DicomStore) -> None:
    seen = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def proxy() -> None:
            caller, _ = listener.accept()
            with caller:
                seen.append(caller.recv(65536))
                caller.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

        for url, expected in ((store.url, b"POST http://"), (store.url.replace("http", "https"), b"CONNECT ")):
            thread = threading.Thread(target=proxy)
            thread.start()
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            with closing(client_of(url, proxy=address)) as client:
                if expected.startswith(b"POST"):
                    assert client.knock().status == 407
                else:
                    with pytest.raises(NotTrusted, match="proxy"):
                        client.knock()
            thread.join(10)
            assert seen[-1].startswith(expected)
    assert not store.requests
    with closing(client_of(store.url, proxy="http://127.0.0.1:9")) as client, pytest.raises(NotReached, match="proxy"):
        client.knock()


def test_places_of_the_service() -> None:
    endpoint = Endpoint("https://centre.example:8443/a/dicom-web/", read_url="https://centre.example:8443/wado")
    assert endpoint.studies() == "https://centre.example:8443/a/dicom-web/studies"
    assert endpoint.instance("1", "2", "3") == "https://centre.example:8443/wado/studies/1/series/2/instances/3"
    assert endpoint.uploads() == "https://centre.example:8443/a/edge/v1/uploads"
    assert Endpoint("http://centre").uploads() == "http://centre/edge/v1/uploads"
    assert endpoint.host == "centre.example:8443"
