"""Listening sockets, and what the operator reads when they cannot be had."""

from __future__ import annotations

import pytest

from appliance.errors import ConfigurationError
from appliance.scp.listeners import listen


def test_a_port_in_use_is_named() -> None:
    listener = listen("127.0.0.1", 0)
    with listener.sock, pytest.raises(ConfigurationError, match=str(listener.port)) as caught:
        listen("127.0.0.1", listener.port)
    assert caught.value.hint


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_an_address_that_is_not_ours_is_named(host: str) -> None:
    with pytest.raises(ConfigurationError, match=host):
        listen(host, 0)
