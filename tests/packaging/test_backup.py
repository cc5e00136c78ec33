"""Backups of an installed box by its own timer, the way back after the home is gone, and a bundle made by root.

The tests go on from each other, in order.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders.instances import ct, encode
from tests.partners.installed_box import PEERS, PORT, InstalledBox
from tests.partners.machine import ADDRESS
from tests.partners.raw_scu import EXPLICIT, RawScu

CT = "1.2.840.10008.5.1.4.1.1.2"
CONTEXTS = ((CT, (EXPLICIT,)),)
HOME = "/var/lib/dicom-edge-appliance"
OUT = "/var/backups/dicom-edge-appliance"
STOP = "systemctl stop appliance.target 'dicom-edge-*.service' 'dicom-edge-*.socket' 'dicom-edge-*.timer'"
CONFIGURATION = f"""
[backup]
directory = "{OUT}"
keep = 3
"""
NAME = "Quimbleton^Xanthippe"


@pytest.fixture(scope="module")
def box(new_box: Callable[[], InstalledBox], package: Path) -> Iterator[InstalledBox]:
    """A box as apt leaves it, whose door is open and whose backups go where the package has a place for them."""
    made = new_box()
    made.answer()
    made.install(package)
    made.configure("60-modalities", PEERS)
    made.configure("70-backup", CONFIGURATION)
    made.machine.run("systemctl", "restart", "appliance.target")
    made.wait_active()
    yield made


def store(box: InstalledBox, count: int) -> set[str]:
    """Send objects; return their SOP Instance UIDs when they are acknowledged."""
    sent = set()
    with box.machine.clinic(), RawScu(ADDRESS, PORT, called="EDGE", contexts=CONTEXTS) as scu:
        for number in range(count):
            one = ct(PatientName=NAME, PatientID=f"PLANTPID{number}")
            assert scu.store(CT, one.SOPInstanceUID, EXPLICIT, encode(one)) == 0
            sent.add(str(one.SOPInstanceUID))
    return sent


def held(box: InstalledBox) -> set[str]:
    """The SOP Instance UIDs that the box has, as a program in the clinic sees them."""
    with box.machine.clinic(), box.https(box.token("viewer")) as session:
        answer = session.get(f"{box.url}/dicom-web/instances", params={"limit": "1000"}, timeout=30)
    assert answer.status_code == 200, answer.text
    return {one["00080018"]["Value"][0] for one in answer.json()}


def back_up(box: InstalledBox) -> dict[str, Any]:
    """Let the timer's service run; return what the newest snapshot says of itself."""
    done = box.machine.run("systemctl", "start", "dicom-edge-backup.service", check=False)
    assert done.returncode == 0, box.journal("--unit", "dicom-edge-backup.service")
    found: list[dict[str, Any]] = json.loads(box.appliance("backup", "list", OUT, "--json"))
    return found[-1]


def owners(box: InstalledBox) -> str:
    """Owner, group and mode of every directory of the home's files, and of a stored object."""
    return box.machine.shell(
        f"cd {HOME}; stat -c '%n %U:%G %a' . spool index.db access.db;"
        " find archive -type d -printf '%p %u:%g %m\\n' | sort;"
        " find archive -type f -printf '%u:%g %m\\n' | sort -u"
    )


def test_the_timers_service_takes_snapshots_in_its_sandbox(box: InstalledBox) -> None:
    store(box, 5)
    first = back_up(box)
    assert (first["objects"], first["faults"]) == (5, 0)
    store(box, 3)
    second = back_up(box)
    assert (second["objects"], second["linked"], second["faults"]) == (8, 5, 0)
    assert box.machine.shell(f"stat -c '%U %a' {OUT}").split() == ["dicom-edge", "700"]
    kept = box.machine.shell(f"cd {OUT}/{second['snapshot']}/configuration; find . -type f")
    assert "./conf.d/50-installation.toml" in kept and "key.pem" not in kept
    assert box.status()["backup"]["faults"] == 0


def test_root_and_the_timer_take_turns(box: InstalledBox) -> None:
    box.appliance("backup", OUT, "--with-secrets")
    strangers = box.machine.shell(f"find {OUT} ! -user dicom-edge; find {HOME} ! -user dicom-edge")
    assert strangers == ""
    kept = box.machine.shell(f"cd {OUT}; find . -path '*/configuration/*' -name key.pem")
    assert kept
    last = back_up(box)
    assert last["linked"] == 8
    assert "as written" in box.appliance("backup", "verify", OUT)


def test_a_backup_of_a_disk_that_is_not_mounted_fails_and_makes_nothing(box: InstalledBox) -> None:
    box.configure("70-backup", CONFIGURATION.replace(OUT, f"{OUT}/disk/box7"))
    done = box.machine.run("systemctl", "start", "dicom-edge-backup.service", check=False)
    assert done.returncode != 0
    assert "is it mounted" in box.journal("--unit", "dicom-edge-backup.service")
    assert box.machine.run("ls", f"{OUT}/disk", check=False).returncode != 0
    box.configure("70-backup", CONFIGURATION)


def test_a_running_box_is_not_restored_over(box: InstalledBox) -> None:
    assert "not empty" in box.machine.run("appliance", "restore", OUT, check=False).stderr
    done = box.machine.run("appliance", "restore", OUT, "--force", check=False)
    assert done.returncode != 0 and "in use" in done.stderr
    box.wait_active()


@pytest.mark.parametrize("user", ["root", "dicom-edge"])
def test_a_home_that_is_gone_comes_back_as_it_was(box: InstalledBox, user: str) -> None:
    before, modes = held(box), owners(box)
    snapshot = back_up(box)
    store(box, 1)
    # Whoever is not root can fill the directory that the package made, and make none beside it.
    box.machine.shell(f"{STOP}; find {HOME} -mindepth 1 -delete; chmod 751 {HOME}")
    said = box.machine.run("runuser", "-u", user, "--", "appliance", "restore", OUT).stdout
    assert snapshot["snapshot"] in said
    assert owners(box) == modes
    box.machine.shell("systemctl start appliance.target dicom-edge-scp.socket dicom-edge-web.socket")
    box.wait_active()
    assert held(box) == before
    assert box.machine.run("appliance", "fsck", check=False).returncode == 0
    store(box, 1)
    assert "dicom-edge-files" in owners(box) and "dicom-edge:dicom-edge 640" not in owners(box).split("archive", 1)[1]


def test_a_bundle_made_by_root_is_whole_and_has_no_patient(box: InstalledBox, tmp_path: Path) -> None:
    facts = json.loads(box.appliance("support-bundle", "/root/bundle.tar.gz", "--json"))
    assert facts["failed"] == {}
    assert box.machine.shell("stat -c '%U %a' /root/bundle.tar.gz").split() == ["root", "600"]
    assert box.machine.shell(f"find {HOME} ! -user dicom-edge") == ""
    with tarfile.open(box.machine.root / "root/bundle.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    members = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {"journal.txt", "units.txt", "metrics.txt", "doctor.json", "status.json"} <= members.keys()
    everything = b"".join(members.values())
    assert b"dicom-edge-scp.service" in members["journal.txt"]
    for word in (b"Quimbleton", b"PLANTPID", b"$argon2", b"PRIVATE KEY"):
        assert word not in everything, word
