"""One box from the first `apt install` through all that happens to it: the tests go on from each other, in order.

The machine is a real Debian with its real systemd; modalities and browsers call it from a network beside it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.builders.instances import ct, encode, part10, series
from tests.integration.web.client import STOW, stow_body
from tests.partners import dcmtk
from tests.partners.chromium import chromium, visiting
from tests.partners.installed_box import ANSWERS, PASSWORD, PORT, ROOMS, TLS_PORT, InstalledBox
from tests.partners.machine import ADDRESS
from tests.partners.raw_scu import EXPLICIT, Aborted, RawScu
from tests.waiting import wait_until

CT = "1.2.840.10008.5.1.4.1.1.2"
CONTEXTS = ((CT, (EXPLICIT,)),)
BACK_SECONDS = 5.0
# Whoever stops the target does not wait for its parts.
STOP = "systemctl stop appliance.target 'dicom-edge-*.service'"
OUT_OF_RESOURCES = 0xA700


@pytest.fixture(scope="module")
def box(new_box: Callable[[], InstalledBox], package: Path) -> Iterator[InstalledBox]:
    """The box, installed by apt on a machine that has no network but the clinic's."""
    made = new_box()
    made.answer()
    made.install(package)
    yield made


def studies(box: InstalledBox) -> set[str]:
    """The SOP Instance UIDs that the box has, as a program in the clinic sees them."""
    with box.machine.clinic(), box.https(box.token("viewer")) as session:
        answer = session.get(f"{box.url}/dicom-web/instances", params={"limit": "1000"}, timeout=30)
    assert answer.status_code in (200, 204), answer.text
    return {one["00080018"]["Value"][0] for one in answer.json()} if answer.status_code == 200 else set()


def test_apt_alone_makes_a_box_that_is_ready(box: InstalledBox) -> None:
    assert box.active_seconds < 20
    status = box.status()
    assert status["ready"] is True
    failed = box.machine.shell("systemctl list-units --failed --no-legend --plain")
    assert failed == ""
    assert box.machine.active("appliance.target")
    print(f"installed in {box.install_seconds:.1f} s, ready {box.active_seconds:.1f} s later")


def test_the_answers_are_in_force(box: InstalledBox) -> None:
    shown = box.appliance("config", "show")
    for key, value in (("site.id", "clinic-7"), ("site.tenant", "north"), ("scp.ae_title", "EDGE")):
        assert any(key in line and value in line for line in shown.splitlines()), (key, shown)
    assert ANSWERS["site"][1] == "clinic-7"


def test_no_password_is_left_anywhere(box: InstalledBox) -> None:
    found = box.machine.run(
        "grep", "--recursive", "--files-with-matches", "--binary-files=text", PASSWORD,
        "/etc", "/var", "/run", "/root", "/tmp", check=False,
    )  # fmt: skip
    assert found.stdout == ""


def test_an_unknown_modality_is_refused_and_a_known_one_stores(box: InstalledBox, tmp_path: Path) -> None:
    file = tmp_path / "one.dcm"
    dataset = ct(PatientID="DEB-1")
    file.write_bytes(part10(dataset))
    with box.machine.clinic():
        assert dcmtk.echoscu(box.peer(), check=False).returncode != 0
    box.let_everybody_in()
    with box.machine.clinic():
        for port in (PORT, 11112):
            dcmtk.echoscu(box.peer(port))
        dcmtk.storescu(box.peer(), [file])
    assert dataset.SOPInstanceUID in studies(box)


def test_a_modality_with_a_certificate_stores_by_tls(box: InstalledBox, tmp_path: Path) -> None:
    box.machine.run("appliance-pki", "issue", "modality", "CT1", "--address", "192.168.94.1")
    live = box.machine.root / "etc/dicom-edge-appliance/pki/live/modality-CT1"
    file = tmp_path / "tls.dcm"
    dataset = ct(PatientID="DEB-TLS")
    file.write_bytes(part10(dataset))
    secure = ["+tls", str(live / "key.pem"), str(live / "cert.pem"), "+cf", str(box.authority())]
    with box.machine.clinic():
        peer = box.peer(TLS_PORT, calling_ae="CT1")
        dcmtk.echoscu(peer, *secure)
        dcmtk.storescu(peer, [file], *secure)
    assert dataset.SOPInstanceUID in studies(box)


def test_a_technician_logs_in_by_https_and_a_radiologist_sees_the_study(box: InstalledBox) -> None:
    with (
        box.machine.clinic(),
        chromium("--ignore-certificate-errors") as browser,
        visiting(browser, box.url) as seen,
    ):
        seen.open("/")
        seen.page.fill("#name", "admin")
        seen.page.fill("#password", PASSWORD)
        seen.page.keyboard.press("Enter")
        expect(seen.page).to_have_url(f"{box.url}/")
        expect(seen.page.get_by_text("DEB-1")).to_be_visible()
        seen.screenshot("installed-box")


def test_https_is_this_authoritys_and_speaks_no_old_tls(box: InstalledBox) -> None:
    with box.machine.clinic():
        with box.https() as session:
            assert session.get(f"{box.url}/healthz", timeout=10).status_code in (200, 401, 403, 404)
        with box.https() as session:
            refused = session.get(f"{box.url}/dicom-web/studies", timeout=10)
        assert refused.status_code == 401


def test_a_large_upload_of_a_stranger_is_refused_and_one_with_a_token_is_stored(box: InstalledBox) -> None:
    dataset = ct(PatientID="DEB-STOW")
    token = box.token("technician")
    body = stow_body(part10(dataset))
    with box.machine.clinic():
        with box.https() as session:
            answer = session.post(f"{box.url}/dicom-web/studies", data=body, headers={"Content-Type": STOW}, timeout=30)
            assert answer.status_code == 401
        with box.https(token) as session:
            answer = session.post(f"{box.url}/dicom-web/studies", data=body, headers={"Content-Type": STOW}, timeout=30)
            assert answer.status_code == 200, answer.text
    assert dataset.SOPInstanceUID in studies(box)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_that_is_killed_is_back_in_five_seconds(box: InstalledBox, room: str) -> None:
    before = box.machine.pid(room)
    box.machine.shell(f"kill -KILL {before}")
    wait_until(lambda: box.machine.pid(room) not in (0, before) and box.machine.active(room), BACK_SECONDS, every=0.05)
    box.wait_active()


def test_a_machine_that_loses_its_processes_in_mid_intake_has_everything_it_acknowledged(box: InstalledBox) -> None:
    acknowledged: list[str] = []
    enough = threading.Event()

    def send() -> None:
        scu = RawScu(ADDRESS, PORT, called="EDGE", contexts=CONTEXTS)
        with box.machine.clinic(), suppress(Aborted, OSError):
            scu.open()
            for one in series(2000, PatientID="DEB-KILL"):
                assert scu.store(CT, one.SOPInstanceUID, EXPLICIT, encode(one)) == 0
                acknowledged.append(one.SOPInstanceUID)
                if len(acknowledged) == 150:
                    enough.set()
        scu.sock.close()

    sender = threading.Thread(target=send)
    sender.start()
    try:
        assert enough.wait(60)
    finally:
        box.machine.cut_power()
        sender.join(60)
    assert not sender.is_alive()
    box.machine.boot()
    box.wait_active()
    assert len(acknowledged) >= 150
    assert set(acknowledged) <= studies(box)
    assert "0" in box.machine.shell("appliance fsck >/dev/null 2>&1; echo $?")


def test_after_a_reboot_everything_is_back(box: InstalledBox) -> None:
    before = studies(box)
    box.machine.power_off()
    box.machine.boot()
    box.wait_active()
    assert studies(box) == before
    with box.machine.clinic():
        dcmtk.echoscu(box.peer())
        dcmtk.echoscu(box.peer(TLS_PORT), "+tla", "+cf", str(box.authority()), check=False)


def test_a_full_disk_refuses_politely_and_recovers(box: InstalledBox) -> None:
    home = "/var/lib/dicom-edge-appliance"
    machine = box.machine
    machine.shell(
        f"{STOP}; mkdir /run/kept; cp -a {home}/. /run/kept;"
        f" mount -t tmpfs -o size=1400m,mode=751 tmpfs {home}; cp -a /run/kept/. {home};"
        f" chown --reference=/run/kept {home}; systemctl start appliance.target"
    )
    box.wait_active()
    machine.shell(f"fallocate -l $(( $(df --output=avail -B1 {home} | tail -1) - 900 * 1048576 )) {home}/filler")
    one, other = ct(PatientID="DEB-FULL"), ct(PatientID="DEB-ROOM")
    with machine.clinic(), RawScu(ADDRESS, PORT, called="EDGE", contexts=CONTEXTS) as scu:
        assert scu.store(CT, one.SOPInstanceUID, EXPLICIT, encode(one)) == OUT_OF_RESOURCES
    machine.shell(f"rm {home}/filler")

    def taken() -> bool:
        with machine.clinic(), RawScu(ADDRESS, PORT, called="EDGE", contexts=CONTEXTS) as scu:
            return scu.store(CT, other.SOPInstanceUID, EXPLICIT, encode(other)) == 0

    wait_until(taken, 20)
    assert other.SOPInstanceUID in studies(box)
    machine.shell(f"{STOP}; umount {home}; rm -r /run/kept; systemctl start appliance.target")
    box.wait_active()


def test_the_journal_has_no_patient_and_no_traceback(box: InstalledBox) -> None:
    journal = box.journal()
    for word in ("DEB-1", "DEB-KILL", "DEB-STOW", "Traceback"):
        assert word not in journal, word
