"""The units on an installed box: what they are kept from, what they cost at rest, and who is back after what."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.builders.instances import ct, part10
from tests.integration.web.client import STOW, stow_body
from tests.partners.installed_box import PORT, ROOMS, TLS_PORT, InstalledBox
from tests.waiting import wait_until

CODEC = "dicom-edge-codec"
MOST_EXPOSED = 1.5
MOST_MEMORY = 300 << 20
MOST_CPU = 0.01
REST_SECONDS = 30
# WatchdogSec= of the units, and what ending and starting anew takes on a busy machine.
WATCHDOG_SECONDS = 75.0
STARTED_SECONDS = 20.0
DELIVERED_SECONDS = 30.0


@pytest.fixture(scope="module")
def box(new_box: Callable[[], InstalledBox], package: Path) -> Iterator[InstalledBox]:
    """The box as apt leaves it, with the clinic's answers."""
    made = new_box()
    made.answer()
    made.install(package)
    yield made


def services(box: InstalledBox) -> list[str]:
    """Every service of ours that is installed."""
    listed = box.machine.shell("systemctl list-unit-files --no-legend --plain 'dicom-edge-*.service'")
    return [line.split()[0] for line in listed.splitlines()]


def failed(box: InstalledBox) -> str:
    """The units that systemd calls failed."""
    return box.machine.shell("systemctl list-units --failed --no-legend --plain")


def memory(box: InstalledBox, room: str) -> int:
    """The proportional share of a room's memory, its children's included, in bytes."""
    total = 0
    main = box.machine.pid(room)
    children = box.machine.shell(f"cat /proc/{main}/task/*/children").split()
    for pid in (main, *children):
        told = box.machine.shell(f"cat /proc/{pid}/smaps_rollup")
        found = re.search(r"^Pss:\s+(\d+) kB$", told, re.MULTILINE)
        assert found, told
        total += int(found[1]) << 10
    return total


def store(box: InstalledBox, session: requests.Session, file: bytes) -> None:
    """Send an object as a program in the clinic does."""
    url = f"{box.url}/dicom-web/studies"
    answer = session.post(url, data=stow_body(file), headers={"Content-Type": STOW}, timeout=30)
    assert answer.status_code == requests.codes.ok, answer.text


def test_no_service_is_more_exposed_than_promised(box: InstalledBox) -> None:
    found = {}
    for name in services(box):
        told = box.machine.shell(f"systemd-analyze security --no-pager {name}")
        level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", told)
        assert level, told
        found[name] = float(level[1])
    print(", ".join(f"{name} {level}" for name, level in sorted(found.items())))
    assert len(found) >= 10
    assert {name: level for name, level in found.items() if level > MOST_EXPOSED} == {}


def test_a_box_at_rest_costs_little(box: InstalledBox) -> None:
    assert not box.machine.active(CODEC)
    sizes = {room: memory(box, room) for room in ROOMS}
    pids = {room: box.machine.pid(room) for room in ROOMS}
    ticks = "cat " + " ".join(f"/proc/{pid}/stat" for pid in pids.values())
    told = box.machine.shell(f"{ticks}; sleep {REST_SECONDS}; {ticks}; getconf CLK_TCK").splitlines()
    spent = [sum(map(int, line.rpartition(")")[2].split()[11:13])) for line in told[:-1]]
    before, after = spent[: len(pids)], spent[len(pids) :]
    share = (sum(after) - sum(before)) / int(told[-1]) / REST_SECONDS
    print(", ".join(f"{room} {size / (1 << 20):.0f} MiB" for room, size in sizes.items()))
    print(f"together {sum(sizes.values()) / (1 << 20):.0f} MiB, {share:.2%} of a processor")
    assert sum(sizes.values()) < MOST_MEMORY
    assert share < MOST_CPU


def test_decoders_start_with_the_first_picture_and_take_no_room_with_them(box: InstalledBox) -> None:
    dataset, token, web = ct(PatientID="DEB-UNIT"), box.token("admin"), box.machine.pid("dicom-edge-web")
    uids = dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID
    place = "{}/dicom-web/studies/{}/series/{}/instances/{}/rendered".format(box.url, *uids)

    def picture(session: requests.Session, width: int) -> bool:
        # Each size is a picture of its own, that no cache has.
        viewport = {"viewport": f"{width},{width}"}
        return session.get(place, params=viewport, timeout=60).status_code == requests.codes.ok

    assert not box.machine.active(CODEC)
    with box.machine.clinic(), box.https(token) as session:
        store(box, session, part10(dataset))
        assert picture(session, 64)
    first = box.machine.pid(CODEC)
    assert first and box.machine.active(CODEC)
    box.machine.shell(f"kill -KILL {first}")
    with box.machine.clinic(), box.https(token) as session:
        wait_until(lambda: picture(session, 65), STARTED_SECONDS)
    assert box.machine.pid(CODEC) not in (0, first)
    assert box.machine.pid("dicom-edge-web") == web
    assert failed(box) == ""


def test_deliveries_go_to_a_directory_elsewhere_after_one_drop_in(box: InstalledBox) -> None:
    box.machine.shell("install -d -o dicom-edge -g dicom-edge -m 750 /srv/images")
    box.configure("70-elsewhere", '[sync.sinks.outbound]\nkind = "directory"\npath = "/srv/images"\n')
    drop_ins = box.machine.root / "etc/systemd/system/dicom-edge-.service.d"
    drop_ins.mkdir()
    (drop_ins / "60-paths.conf").write_text(
        "[Unit]\nRequiresMountsFor=/srv/images\n\n[Service]\nReadWritePaths=/srv/images\n"
    )
    box.machine.shell("systemctl daemon-reload; systemctl restart appliance.target")
    box.wait_active()
    # A sink that leads elsewhere than it did waits for somebody to say that this is meant.
    box.appliance("sync", "resume", "outbound")
    dataset = ct(PatientID="DEB-ELSEWHERE")
    with box.machine.clinic(), box.https(box.token("admin")) as session:
        store(box, session, part10(dataset))
    wait_until(lambda: dataset.SOPInstanceUID in box.machine.shell("find /srv/images -type f"), DELIVERED_SECONDS)
    assert failed(box) == ""


def test_without_its_plain_socket_the_listener_receives_by_tls_alone(box: InstalledBox) -> None:
    def ports() -> set[str]:
        return set(re.findall(r":(\d+)\s", box.machine.shell("ss --listening --tcp --numeric --no-header")))

    assert {str(PORT), str(TLS_PORT)} <= ports()
    box.machine.shell("systemctl mask --now dicom-edge-scp.socket; systemctl restart dicom-edge-scp")
    assert box.machine.active("dicom-edge-scp")
    assert ports() & {str(PORT), "11112", str(TLS_PORT)} == {str(TLS_PORT)}
    box.machine.shell(
        "systemctl unmask dicom-edge-scp.socket; systemctl stop dicom-edge-scp;"
        " systemctl start dicom-edge-scp.socket dicom-edge-scp"
    )
    box.wait_active()
    assert {str(PORT), str(TLS_PORT)} <= ports()
    assert failed(box) == ""


@pytest.mark.full
def test_rooms_that_stand_still_are_started_anew(box: InstalledBox) -> None:
    before = {room: box.machine.pid(room) for room in (*ROOMS, CODEC)}
    assert all(before.values())
    box.machine.shell("kill -STOP " + " ".join(map(str, before.values())))
    for room, pid in before.items():
        wait_until(
            lambda room=room, pid=pid: box.machine.pid(room) not in (0, pid) and box.machine.active(room),  # type: ignore[misc]
            WATCHDOG_SECONDS,
            every=0.5,
        )
    box.wait_active()
    assert "watchdog" in box.journal("--unit=dicom-edge-scp").lower()
    assert failed(box) == ""
