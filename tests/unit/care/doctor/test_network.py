"""Names, clocks and lines of the other side."""

from __future__ import annotations

import socket
import ssl
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from appliance.care.doctor import network
from appliance.care.doctor.box import Box
from appliance.care.doctor.finding import State
from tests.builders.certificates import Authority
from tests.partners.dicom_store import DicomStore
from tests.partners.ports import free_ports
from tests.unit.care.doctor.boxes import box, mended

NOW = 1_790_000_000.0


def stow(tmp_path: Path, url: str, **more: Any) -> Box:
    return box(tmp_path, {"sync": {"sinks": {"centre": {"kind": "stow", "url": url, **more}}}})


@pytest.mark.parametrize(("theirs", "offset"), [(0.0, 0.0), (-0.9, 0.0), (-3600, 3599.0), (3600, -3599.5), (0.4, 0.0)])
def test_whole_seconds_and_the_way_count_for_nothing(theirs: float, offset: float) -> None:
    found = network.offset(formatdate(NOW + theirs, usegmt=True), NOW, NOW + 0.5)
    assert found == pytest.approx(offset, abs=1.0)


def test_clocks_far_apart_are_told_of_in_the_right_direction() -> None:
    def judged(theirs: float) -> object:
        return network.clock_against(formatdate(NOW + theirs, usegmt=True), NOW, NOW + 0.1)

    mended(judged(0), State.OK, "agree", "")  # type: ignore[arg-type]
    mended(judged(-30), State.WARNING, "29 s ahead of", "chronyc")  # type: ignore[arg-type]
    mended(judged(7200), State.FAULT, "7200 s behind", "timedatectl")  # type: ignore[arg-type]
    assert network.clock_against("", NOW, NOW).state is State.SKIPPED


def test_names_are_told_once_and_addresses_not_at_all(tmp_path: Path) -> None:
    sinks = {
        "a": {"kind": "stow", "url": "https://centre.example/dicom-web"},
        "b": {"kind": "kafka", "bootstrap_servers": ["centre.example:9092", "10.0.0.1:9092"]},
        "c": {"kind": "stow", "url": "https://off.example/dicom-web", "active": False},
    }
    found = box(tmp_path, {"sync": {"sinks": sinks}, "mqtt": {"host": "broker.example"}})
    assert network.names(found) == ("centre.example", "broker.example")
    assert network.places(found)[0] == "a centre.example:443"
    assert "b 10.0.0.1:9092" in network.places(found)


def test_a_name_that_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    mended(network.name(box(tmp_path), "centre.example"), State.FAULT, "not known", "/etc/resolv.conf")


def test_a_place_that_takes_no_connection(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    found = stow(tmp_path, f"http://127.0.0.1:{port}/dicom-web")
    mended(network.line(found, f"centre 127.0.0.1:{port}"), State.FAULT, "refused", "firewall")


def test_certificates_on_the_line(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    authority, other = Authority(tmp_path), Authority(tmp_path / "other")
    pair = authority.issue("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with DicomStore(tmp_path / "store", context=context) as store:
        subject = f"centre 127.0.0.1:{store.port}"
        wrong = network.line(stow(tmp_path, store.url, tls_ca=other.certificate), subject)
        mended(wrong, State.FAULT, "not trusted", "sync.sinks.centre.tls_ca")
        right = network.line(stow(tmp_path, store.url, tls_ca=authority.certificate), subject)
        mended(right, State.WARNING, "lasts 0 days", "renew")
