"""Sockets and proxy in step with the configuration."""

from __future__ import annotations

from pathlib import Path

from appliance import places
from appliance.care.doctor import front, installed
from appliance.care.doctor.box import Box
from appliance.care.doctor.finding import State
from appliance.care.setup.sockets import PLAIN, TLS, drop_ins
from tests.unit.care.doctor.boxes import box, mended, packaged, put

UNIT = "[Socket]\nListenStream=127.0.0.1:11112\nFileDescriptorName=dicom\n"


def set_up(tmp_path: Path, port: int = 11112, tls_port: int | None = None) -> Box:
    """A machine that was set up with these ports."""
    found = packaged(tmp_path)
    put(found, installed.UNITS / PLAIN, UNIT)
    put(found, installed.UNITS / TLS, UNIT.replace("11112", "2762"))
    for path, text in drop_ins("127.0.0.1", (port,), tls_port):
        put(found, path, text)
    return found


def test_what_was_set_up_with_the_same_ports_is_in_step(tmp_path: Path) -> None:
    found = set_up(tmp_path)
    mended(installed.socket_in_step(found, PLAIN), State.OK, "127.0.0.1:11112", "")
    mended(installed.socket_in_step(found, TLS), State.OK, "nowhere", "")


def test_another_port_in_the_configuration_is_told_with_the_command(tmp_path: Path) -> None:
    verdict = installed.socket_in_step(set_up(tmp_path, port=104, tls_port=2762), PLAIN)
    mended(verdict, State.FAULT, "listens on 127.0.0.1:104, the configuration says 127.0.0.1:11112", "init --system")
    mended(installed.socket_in_step(set_up(tmp_path / "b", tls_port=2762), TLS), State.FAULT, "says nothing", "init")


def test_an_administrators_drop_in_counts(tmp_path: Path) -> None:
    found = set_up(tmp_path)
    put(found, places.DROP_INS / f"{PLAIN}.d" / "90-mine.conf", "[Socket]\nListenStream=127.0.0.1:104\n")
    mended(installed.socket_in_step(found, PLAIN), State.FAULT, "127.0.0.1:104", "init --system")


def test_without_a_package_nothing_is_said_of_it(tmp_path: Path) -> None:
    assert installed.socket_in_step(box(tmp_path), PLAIN).state is State.SKIPPED
    assert installed.proxy(box(tmp_path), "").state is State.SKIPPED


def test_a_proxy_needs_its_part_and_its_certificate(tmp_path: Path) -> None:
    found = packaged(tmp_path)
    mended(installed.proxy(found, ""), State.FAULT, "no browser gets in", "init --system")
    text = "listen 127.0.0.1:443 ssl;\nssl_certificate /etc/pki/web.pem;\nssl_certificate_key /etc/pki/web.key;\n"
    put(found, front.PARTS / "50-installation.conf", text)
    mended(installed.proxy(found, ""), State.FAULT, "web.pem, /etc/pki/web.key is missing", "init --system")
    put(found, "/etc/pki/web.pem", "-")
    mended(installed.proxy(found, ""), State.FAULT, "/etc/pki/web.key is missing", "init --system")
    put(found, "/etc/pki/web.key", "-")
    mended(installed.proxy(found, ""), State.OK, "127.0.0.1:443", "")


def test_a_variable_that_looks_like_a_setting_is_told_of(tmp_path: Path) -> None:
    found = box(tmp_path, environ={"APPLIANCE_SCP_PORT": "1"}, origins={"home": "/etc/a.toml"})
    mended(installed.configuration(found, ""), State.WARNING, "APPLIANCE_SCP_PORT", "rename")
    mended(
        installed.configuration(box(tmp_path, origins={"home": "/a.toml"}), ""), State.OK, "1 keys set by /a.toml", ""
    )
