"""The web room and the command line with the decoders in a process of their own."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from pydicom.encaps import encapsulate

from tests.builders.instances import ct, part10
from tests.integration.web.client import WebClient
from tests.partners.appliance import Appliance
from tests.waiting import wait_until

PIXELS = bytes(range(256)) * 2
# Encapsulated, uncompressed: no browser reads it.
PLAIN = "1.2.840.10008.1.2.1.98"
JPEG = "image/jpeg"


def plain_file(folder: Path, number: int) -> tuple[Path, str]:
    """Write an object that browsers cannot read; return it with the path of its frame."""
    dataset = ct(SOPInstanceUID=f"1.2.3.{number}", BitsAllocated=8, BitsStored=8, HighBit=7, Rows=16, Columns=32)
    dataset.PixelData = encapsulate([PIXELS])
    dataset["PixelData"].is_undefined_length = True
    path = folder / f"{number}.dcm"
    path.write_bytes(part10(dataset, PLAIN))
    uids = (dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)
    return path, "/dicom-web/studies/{}/series/{}/instances/{}/rendered".format(*uids)


def service_of(box: Appliance) -> int:
    """The process id of the codec room below `appliance run`, 0 while there is none."""
    parent = box.room_pid("run")
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            owner = int(path.read_text().rpartition(") ")[2].split()[1])
            command = path.with_name("cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if owner == parent and b"codec" in command:
            return int(path.parent.name)
    return 0


def test_a_box_draws_and_decodes_through_the_service_also_after_its_death(tmp_path: Path) -> None:
    socket = tmp_path / "codec.sock"
    with Appliance(tmp_path / "home", {"APPLIANCE__CODEC__SOCKET": str(socket)}) as box:
        box.command("init")
        (first, drawn), (second, _) = plain_file(tmp_path, 1), plain_file(tmp_path, 2)
        box.command("import", str(first), str(second))
        box.start()
        box.wait_ready()
        with WebClient(box.url) as web:
            assert web.get(drawn, JPEG).status_code == 200
            pid = wait_until(lambda: service_of(box))
            web_room = box.room_pid("web")
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: service_of(box) not in (0, pid), 30)
            wait_until(lambda: web.get(drawn, JPEG).status_code == 200, 30)
            assert box.room_pid("web") == web_room
            assert 'dicom_edge_codec_tasks_total{operation="render",result="done"} 2.0' in web.get("/metrics").text
            done = json.loads(box.command("transcode", "--all-unreadable", "--json").stdout)
            assert (done["objects"], done["frames"], done["unreadable"]) == (2, 2, [])
    assert not socket.exists()
