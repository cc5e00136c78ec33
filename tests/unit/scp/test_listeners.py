"""Listening sockets, and what the operator reads when they cannot be had."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from appliance.errors import ConfigurationError
from appliance.scp.listeners import adopt, listen


def test_a_port_in_use_is_named() -> None:
    listener = listen("127.0.0.1", 0)
    with listener.sock, pytest.raises(ConfigurationError, match=str(listener.port)) as caught:
        listen("127.0.0.1", listener.port)
    assert caught.value.hint


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_an_address_that_is_not_ours_is_named(host: str) -> None:
    with pytest.raises(ConfigurationError, match=host):
        listen(host, 0)


def test_a_socket_that_listens_already_is_taken_over_and_never_waits() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        listener = adopt(sock)
        assert (listener.address, listener.port) == sock.getsockname()
        assert not sock.getblocking()


def test_dicom_is_not_spoken_on_a_socket_of_the_file_system(tmp_path: Path) -> None:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(tmp_path / "door"))
    sock.listen()
    with pytest.raises(ConfigurationError, match="AF_UNIX") as caught:
        adopt(sock)
    assert "ListenStream" in caught.value.hint and sock.fileno() == -1
