"""Certificates that are about to end on an installed box: renewed by the timer's unit, or told; nothing stops."""

from __future__ import annotations

import datetime
import shutil
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509

from tests.partners import dcmtk
from tests.partners.installed_box import ROOMS, TLS_PORT, InstalledBox
from tests.partners.machine import ADDRESS
from tests.waiting import wait_until

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
PKI = "/etc/dicom-edge-appliance/pki"
HTTPS_PORT = 443
DAYS = 30
# Made so long ago, it lives this much longer: what is left when the package starts.
LEFT = datetime.timedelta(minutes=20)


@pytest.fixture(scope="module")
def box(new_box: Callable[[], InstalledBox], package: Path) -> Iterator[InstalledBox]:
    """A box whose certificates were made almost thirty days ago, for thirty days."""
    made = new_box()
    made.answer()
    made.install(package)
    shutil.copy(FAKETIME, made.machine.root / "usr/lib/libfaketime.so")
    # The authority is as old as a box after its first summer.
    made.machine.run("mv", PKI, "/root/")
    made.machine.run("appliance-pki", "init", "Clinic", "--any-name", environ=ago(datetime.timedelta(days=90)))
    made.appliance("init", "--system", "--no-restart")
    made.let_everybody_in()
    made.machine.run("appliance-pki", "issue", "modality", "CT9", "--address", "192.168.94.1")
    for name in lineages(made):
        age(made, name)
    made.machine.run("systemctl", "reload", "nginx")
    yield made


def ago(time: datetime.timedelta) -> dict[str, str]:
    """The variables of a program for which it is so long ago."""
    return {"LD_PRELOAD": "/usr/lib/libfaketime.so", "FAKETIME": f"-{int(time.total_seconds())}s"}


def lineages(box: InstalledBox) -> list[str]:
    """The servers' certificates that set-up has made."""
    found = box.machine.shell(f"cd {PKI}/live; ls -d server-*").split()
    assert found
    return found


def age(box: InstalledBox, name: str) -> None:
    """Make a server's certificate again as it would be today, had it been made thirty days ago."""
    leaf = x509.load_pem_x509_certificate((box.machine.root / f"{PKI}/live/{name}/cert.pem".lstrip("/")).read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    options = [f"--dns={one}" for one in names.get_values_for_type(x509.DNSName) if not one.endswith(".local")]
    options += [f"--ip={one}" for one in names.get_values_for_type(x509.IPAddress)]
    host, _, label = name.removeprefix("server-").partition("+")
    options += [f"--label={label}"] if label else []
    box.machine.run(
        "appliance-pki", "issue", "server", host, *options, f"--days={DAYS}", "--replace",
        "--group=dicom-edge", environ=ago(datetime.timedelta(days=DAYS) - LEFT),
    )  # fmt: skip


def shown(box: InstalledBox, port: int) -> x509.Certificate:
    """The certificate that the box shows to the clinic."""
    context = ssl.create_default_context(cafile=str(box.authority()))
    context.check_hostname = False
    live = box.machine.root / f"{PKI}/live/modality-CT9".lstrip("/")
    context.load_cert_chain(live / "cert.pem", live / "key.pem")
    with (
        box.machine.clinic(),
        socket.create_connection((ADDRESS, port), 10) as plain,
        context.wrap_socket(plain) as secure,
    ):
        found = secure.getpeercert(binary_form=True)
    assert found is not None
    return x509.load_der_x509_certificate(found)


def left(certificate: x509.Certificate) -> datetime.timedelta:
    return certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)


@pytest.mark.parametrize("port", [HTTPS_PORT, TLS_PORT])
def test_first_they_are_about_to_end(box: InstalledBox, port: int) -> None:
    wait_until(lambda: left(shown(box, port)) < LEFT, 90, every=1.0)


def test_the_alarm_is_raised(box: InstalledBox) -> None:
    findings = box.machine.run("appliance", "doctor", "--json", check=False)
    assert findings.returncode == 1
    assert "certificate" in findings.stdout
    assert box.machine.run("appliance-pki", "check", check=False).returncode != 0


def test_the_timers_unit_renews_them_and_every_door_shows_the_new_ones(box: InstalledBox) -> None:
    before = {room: box.machine.pid(room) for room in ROOMS}
    box.machine.run("systemctl", "start", "dicom-edge-renew.service")
    for port in (HTTPS_PORT, TLS_PORT):
        wait_until(lambda port=port: left(shown(box, port)) > LEFT * 2, 90, every=1.0)  # type: ignore[misc]
    assert {room: box.machine.pid(room) for room in ROOMS} == before
    assert box.machine.run("appliance-pki", "check", check=False).returncode == 0


def test_an_authority_that_is_gone_is_told_and_the_doors_stay_open(box: InstalledBox) -> None:
    for name in lineages(box):
        age(box, name)
    box.machine.shell(f"mv {PKI}/ca/key.pem /root/")
    assert box.machine.run("systemctl", "start", "dicom-edge-renew.service", check=False).returncode != 0
    assert "dicom-edge-renew" in box.machine.shell("systemctl list-units --failed --no-legend --plain")
    box.wait_active()
    with box.machine.clinic():
        dcmtk.echoscu(box.peer())
    said = box.machine.run("appliance", "doctor", "--json", check=False).stdout
    assert "renew" in said
