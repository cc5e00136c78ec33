"""The files that set-up writes: TOML, the sockets' drop-ins, what nginx is told."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from appliance.care.setup import toml
from appliance.care.setup.proxy_file import Front, front_of
from appliance.care.setup.sockets import drop_ins

TREE = """
plain = true
[site]
id = "c\\u0007 \\"quoted\\" é \\u007f"
[scp]
port = 104
rate = 1.5
since = 2026-01-02T03:04:05Z
[[scp.peers]]
ae_title = "CT 1"
[sync.sinks."with.dot"]
kind = "directory"
list = [[1, 2], ["a"]]
"""


def test_a_tree_comes_back_as_it_was() -> None:
    tree = tomllib.loads(TREE)
    assert tomllib.loads(toml.dumped(tree)) == tree


def listening(text: str) -> list[str]:
    """Addresses of a drop-in."""
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith("ListenStream=")]


def test_a_socket_listens_on_what_was_answered_and_nothing_else() -> None:
    (plain, text), (tls, tls_text) = drop_ins("192.168.1.5", (11112, 104), 2762)
    assert plain == Path("/etc/systemd/system/dicom-edge-scp.socket.d/50-installation.conf")
    assert tls == Path("/etc/systemd/system/dicom-edge-scp-tls.socket.d/50-installation.conf")
    assert listening(text) == ["", "192.168.1.5:11112", "192.168.1.5:104"]
    assert listening(tls_text) == ["", "192.168.1.5:2762"]


def test_an_address_of_ipv6_is_in_brackets() -> None:
    (_, text), _ = drop_ins("::", (104,), None)
    assert listening(text) == ["", "[::]:104"]


def test_without_a_port_for_tls_its_socket_is_passed_over() -> None:
    _, (_, text) = drop_ins("127.0.0.1", (104,), None)
    assert not listening(text)
    assert "ConditionPathExists=!/" in text


@pytest.mark.parametrize("address", ["127.0.0.1:443", "0.0.0.0:443", "[::1]:8443", "[::]:443"])
def test_what_nginx_is_told_is_read_back(address: str) -> None:
    front = Front(address, ("pacs.example", "box.local"), Path("/etc/a.pem"), Path("/etc/k.pem"))
    assert front_of(front.text()) == front


def test_all_of_ipv6_is_all_of_ipv4_too() -> None:
    text = Front("[::]:443", ("a",), Path("/c"), Path("/k")).text()
    assert "listen [::]:443 ssl" in text and "listen 0.0.0.0:443 ssl" in text


def test_an_administrators_changes_are_read_back() -> None:
    text = "listen 8443 ssl;\n server_name  x.example\ty ;\nssl_certificate /s/c.pem;\nssl_certificate_key /s/k.pem;\n"
    assert front_of(text) == Front("0.0.0.0:8443", ("x.example", "y"), Path("/s/c.pem"), Path("/s/k.pem"))
    assert front_of("listen 443 ssl;\n") is None
