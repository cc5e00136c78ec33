"""What happens to a box and its data when the package changes: upgrade, downgrade, removal, purge. In this order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.builders.instances import ct, encode, series
from tests.partners.installed_box import PACKAGE, PORT, InstalledBox
from tests.partners.machine import ADDRESS
from tests.partners.next_build import VERSION, next_build
from tests.partners.raw_scu import EXPLICIT, Aborted, RawScu, Rejected
from tests.waiting import wait_until

CT = "1.2.840.10008.5.1.4.1.1.2"
CONTEXTS = ((CT, (EXPLICIT,)),)
HOME = "/var/lib/dicom-edge-appliance"


@pytest.fixture(scope="module")
def box(new_box: Callable[[], InstalledBox], package: Path) -> Iterator[InstalledBox]:
    """A box of this build with one study."""
    made = new_box()
    made.answer()
    made.install(package)
    made.let_everybody_in()
    yield made


@pytest.fixture(scope="module")
def newer(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The next build."""
    return next_build(package, tmp_path_factory.mktemp("next"))


def store(box: InstalledBox) -> str:
    dataset = ct()
    with box.machine.clinic(), RawScu(ADDRESS, PORT, called="EDGE", contexts=CONTEXTS) as scu:
        assert scu.store(CT, dataset.SOPInstanceUID, EXPLICIT, encode(dataset)) == 0
    return str(dataset.SOPInstanceUID)


def held(box: InstalledBox) -> int:
    """How many objects the box holds."""
    status = box.status()
    return int(status["instances"]) - int(status["not_held"])


def test_an_upgrade_while_a_modality_sends_loses_nothing_and_migrates(box: InstalledBox, newer: Path) -> None:
    store(box)
    acknowledged: list[str] = []
    begun, refused = threading.Event(), threading.Event()
    done = threading.Event()

    def send() -> None:
        """Send as a modality does: what is not acknowledged is sent again by a new association."""
        images = series(100_000, PatientID="UP")
        image = next(images)
        while not done.is_set():
            try:
                with box.machine.clinic(), RawScu(ADDRESS, PORT, called="EDGE", contexts=CONTEXTS) as scu:
                    while not done.wait(0.01):
                        assert scu.store(CT, image.SOPInstanceUID, EXPLICIT, encode(image)) == 0
                        acknowledged.append(image.SOPInstanceUID)
                        image = next(images)
                        begun.set()
            except ConnectionRefusedError:
                refused.set()
                return
            except (Aborted, Rejected, TimeoutError, ConnectionResetError, BrokenPipeError):
                continue  # the room goes: what was not acknowledged is sent again

    sender = threading.Thread(target=send)
    sender.start()
    try:
        assert begun.wait(30)
        box.install(newer)
        sent = len(acknowledged)
        # It goes on with the new build.
        wait_until(lambda: len(acknowledged) > sent + 10, 30)
    finally:
        done.set()
        sender.join(60)
    assert not refused.is_set(), "a modality was refused: the port was not held during the upgrade"
    status = box.status()
    assert status["ready"] is True
    assert box.appliance("--version").split()[-1] == VERSION
    assert held(box) >= len(acknowledged) + 1
    assert '"pending": []' in box.appliance("db", "status", "--json").replace("\n", " ")
    assert box.machine.shell(f"ls {HOME}/backups").strip(), "no copy of the database was kept"


def test_a_downgrade_is_refused_with_a_word_and_the_box_goes_on(box: InstalledBox, package: Path) -> None:
    said = box.apt("install", "--allow-downgrades", box.put(package), check=False)
    assert "downgrade" in said.lower()
    assert "restore" in said
    assert box.appliance("--version").split()[-1] == VERSION
    box.wait_active()
    store(box)


def test_removal_keeps_the_data_and_a_new_installation_finds_it(box: InstalledBox, newer: Path) -> None:
    before = held(box)
    box.apt("remove", PACKAGE)
    assert not box.machine.active("dicom-edge-scp")
    assert box.machine.run("test", "-e", "/usr/bin/appliance", check=False).returncode != 0
    assert box.machine.shell(f"find {HOME}/archive -type f | wc -l").strip() != "0"
    box.install(newer)
    assert held(box) == before
    store(box)


def test_purge_keeps_the_images_unless_told_otherwise(box: InstalledBox, newer: Path) -> None:
    count = box.machine.shell(f"find {HOME}/archive -type f | wc -l")
    box.apt("purge", PACKAGE)
    assert box.machine.shell(f"find {HOME}/archive -type f | wc -l") == count
    box.install(newer)
    box.machine.run("debconf-set-selections", text=f"{PACKAGE} {PACKAGE}/purge-data boolean true\n")
    said = box.apt("purge", PACKAGE)
    left = box.machine.run(
        "find", HOME, "/etc/dicom-edge-appliance", "/run/dicom-edge-appliance", "/etc/nginx/dicom-edge-appliance.d",
        "/etc/systemd/system", "-name", "*dicom-edge*", check=False,
    ).stdout  # fmt: skip
    assert left == "", said
    assert "dicom-edge" not in box.machine.shell("cat /etc/passwd")


def test_nginx_is_whole_after_all_that(box: InstalledBox) -> None:
    box.machine.run("nginx", "-t")
    assert box.machine.active("nginx")
