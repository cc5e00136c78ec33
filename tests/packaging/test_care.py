"""Doctor and self-test on an installed box: all well, and each planted fault has a line whose own mend cures it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.partners.installed_box import InstalledBox
from tests.waiting import wait_until

# What a container is like is not the package's matter; that nobody makes backups yet is true.
OF_THE_MACHINE = {"encryption", "swap", "memory", "clock", "zone", "space", "fsync", "file-system", "backup"}
KNOWN = """
[[scp.peers]]
ae_title = "SELFTEST"
address = "127.0.0.1"

[sync.sinks.outbound]
kind = "directory"
"""
HOME, ETC = "/var/lib/dicom-edge-appliance", "/etc/dicom-edge-appliance"
RENEWED = (
    f"cd {ETC}/pki/live; for name in $(ls -d server-* | grep -v +); do appliance-pki renew --force --name $name; done"
)
# A line of the doctor by how it is broken; the last is what the line says then.
FAULTS = (
    ("secret scp.tls_key", f"chmod 0644 {ETC}/pki/live/*+dicom/key.pem", "others may use it"),
    ("secret authority's key", f"chmod 0644 {ETC}/pki/ca/key.pem", "others may use it"),
    ("home", f"chmod 0755 {HOME}", "has mode 0755"),
    ("home", f"rmdir {ETC}/credentials", "is not there"),
    ("owner", f"touch {HOME}/left-by-root", "left-by-root"),
    ("accounts", "gpasswd -d www-data dicom-edge-files", "no image is sent"),
    ("room sync", "systemctl stop dicom-edge-sync", "does not run"),
    ("units", "systemctl stop dicom-edge-renew.timer", "dicom-edge-renew.timer"),
    ("units", "systemctl disable appliance.target", "starts with the machine"),
    ("port scp:11112", "systemctl stop dicom-edge-scp dicom-edge-scp.socket", "nobody listens"),
    ("local-socket web", "chmod 0666 /run/dicom-edge-appliance/web.sock", "everybody"),
    ("local-socket web", "systemctl stop dicom-edge-web.socket", "is not there"),
    ("local-socket codec", "systemctl stop dicom-edge-codec dicom-edge-codec.socket", "is not there"),
    ("pages {address}", "systemctl stop nginx", "nobody answers"),
    ("pages {address}", RENEWED, "another certificate"),
    ("socket dicom-edge-scp.socket", f"sed -i 's/^port = .*/port = 11113/' {ETC}/conf.d/50-*.toml", "11113"),
)
_MEND = re.compile(r"^(?:run|start it): (.*?)(?:, or |; see|, and |$)")


@pytest.fixture(scope="module")
def box(new_box: Callable[[], InstalledBox], package: Path) -> Iterator[InstalledBox]:
    """A box that its own self-test may call."""
    made = new_box()
    made.answer()
    made.install(package)
    made.configure("60-modalities", KNOWN)
    made.machine.run("systemctl", "restart", "appliance.target")
    made.wait_active()
    yield made


def lines(box: InstalledBox, *only: str) -> dict[str, dict[str, Any]]:
    """The doctor's findings by name."""
    chosen = [word for name in only for word in ("--only", name)]
    done = box.machine.run("appliance", "doctor", "--json", *chosen, check=False)
    assert done.returncode in (0, 1), done.stderr
    return {line["name"]: line for line in json.loads(done.stdout)}


def ill(box: InstalledBox) -> dict[str, str]:
    """What is not well of what is ours."""
    return {
        name: line["what"] for name, line in lines(box).items()
        if line["state"] in ("warning", "fault") and name not in OF_THE_MACHINE
    }  # fmt: skip


def test_a_new_box_is_well(box: InstalledBox) -> None:
    assert ill(box) == {}
    found = lines(box)
    assert {found[f"echo {door}"]["state"] for door in ("plain:104", "plain:11112", "tls:2762")} == {"ok"}
    # Looking is not knocking: nothing was started for it.
    assert not box.machine.active("dicom-edge-codec")


def test_the_self_test_passes_every_door_and_leaves_nothing(box: InstalledBox) -> None:
    said = json.loads(box.appliance("selftest", "--json"))
    outcomes = {step["name"]: step["outcome"] for step in said["steps"]}
    assert outcomes.pop("confirmed outbound") == "unproven"
    assert set(outcomes) >= {"door plain:104", "door tls:2762", "search", "picture", "delivered outbound", "removed"}
    assert set(outcomes.values()) == {"ok"}
    assert box.machine.active("dicom-edge-codec"), "the pictures were drawn by the unit of the decoders"
    assert box.status()["instances"] == 0
    assert box.machine.shell(f"ls {HOME}/selftest") == ""
    tokens = json.loads(box.appliance("token", "list", "--json"))
    assert [token for token in tokens if token["revoked_at"] is None] == []
    box.machine.run("appliance", "fsck")


@pytest.mark.parametrize(("name", "plant", "what"), FAULTS)
def test_a_fault_is_told_and_its_mend_cures_it(box: InstalledBox, name: str, plant: str, what: str) -> None:
    address = next(line.partition(" ")[2] for line in lines(box, "pages"))
    name = name.format(address=address)
    box.machine.shell(plant)
    line = lines(box, name)[name]
    assert what in line["what"], line
    mend = _MEND.match(line["mend"])
    assert mend, line["mend"]
    box.machine.shell(mend[1])
    wait_until(lambda: lines(box, name)[name]["state"] == "ok", 20, every=0.5)
    box.wait_active()
    wait_until(lambda: ill(box) == {}, 20, every=0.5)


def test_a_port_that_somebody_else_took_is_told_with_the_name(box: InstalledBox) -> None:
    box.machine.shell("systemctl stop dicom-edge-scp dicom-edge-scp.socket")
    box.machine.shell("systemd-run --quiet --unit=thief /usr/bin/python3 -m http.server --bind 127.0.0.1 104")
    wait_until(lambda: "python3" in lines(box, "port")["port scp:104"]["what"], 10, every=0.2)
    box.machine.run("systemctl", "start", "dicom-edge-scp", check=False)
    assert "dicom-edge-scp.socket" in ill(box)["units"]
    box.machine.run("systemctl", "stop", "thief")
    box.machine.run("systemctl", "restart", "dicom-edge-scp")
    wait_until(lambda: ill(box) == {}, 20, every=0.5)
