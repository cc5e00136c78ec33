"""Who answers at the address of the pages: nginx with its certificate, somebody else, nobody."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from appliance.care.setup.answering import unanswered
from tests.builders.certificates import Authority, Pair
from tests.partners.ports import free_ports


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs the certificates here."""
    return Authority(tmp_path_factory.mktemp("authority"), "Test authority")


@pytest.fixture
def pair(authority: Authority) -> Pair:
    """The certificate that nginx was told of."""
    return authority.issue("localhost")


@pytest.fixture
def address(pair: Pair) -> Iterator[str]:
    """A server that shows it, and sends and hears nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                    secured.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_its_own_certificate_is_right(address: str, pair: Pair) -> None:
    assert unanswered(address, "localhost", pair.certificate) == ""
    assert unanswered(address.replace("127.0.0.1", "0.0.0.0"), "localhost", None) == ""


def test_another_certificate_is_another_program(address: str, authority: Authority) -> None:
    other = authority.issue("other")
    assert "another certificate" in unanswered(address, "localhost", other.certificate, 0.0)


def test_nobody_is_told(pair: Pair) -> None:
    (port,) = free_ports(1)
    assert "nobody answers" in unanswered(f"127.0.0.1:{port}", "localhost", pair.certificate, 0.0)


def test_a_program_without_tls_is_told(pair: Pair) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        said = unanswered(f"127.0.0.1:{listening.getsockname()[1]}", "localhost", pair.certificate, 0.0)
        thread.join()
    assert "not nginx" in said


def test_a_file_that_is_no_certificate_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("")
    with pytest.raises(ValueError, match="PEM"):
        unanswered("127.0.0.1:1", "localhost", tmp_path / "c", 0.0)
