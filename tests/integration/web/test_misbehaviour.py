"""Decoders that hang, grow or crash, as a browser meets them: the bad slice costs itself, the room goes on."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
import requests
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless, generate_uid

from tests.builders.instances import ct, part10
from tests.integration.web.client import WebClient, stow_body
from tests.partners.appliance import Appliance
from tests.partners.planted_room import WRAPPER
from tests.waiting import wait_until

DEADLINE = 4.0
# Starting a child on a busy machine, and killing one that hangs.
SLACK = 10.0
PLAIN = "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
SLICES = 300
DEEDS = {75: ("hang", 504), 150: ("grow", 413), 225: ("crash", 502)}
# More than the room has threads for requests that need no decoder.
HANGING = 24
# More than a request for many pictures waits for.
SHEAF = 8
# What a request that needs no decoder may take meanwhile.
SOON = 2.0


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    bounds = {"DEADLINE_SECONDS": str(DEADLINE), "MEMORY_BYTES": str(768 << 20)}
    environ = {f"APPLIANCE__CODEC__{name}": value for name, value in bounds.items()}
    with Appliance(tmp_path_factory.mktemp("planted") / "home", environ) as box:
        box.command("init")
        box.start("web", wrapper=WRAPPER)
        box.wait_ready("web")
        yield box


class Slice(NamedTuple):
    """A stored slice: the path of its frame, and the pixels that ought to come."""

    path: str
    pixels: bytes


def stored(box: Appliance, count: int, deeds: Mapping[int, str]) -> list[Slice]:
    """Store a series in RLE; `deeds` by index become Image Comments."""
    study, series = generate_uid(), generate_uid()
    slices, files = [], []
    for number in range(count):
        # Two planes of one value each: 256 bytes in two runs (PS3.5 G.3).
        planes = b"\x81\x00\x81\x00" + bytes([0x81, number % 256] * 2)
        frame = struct.pack("<16I", 2, 64, 68, *[0] * 13) + planes
        dataset = ct(
            StudyInstanceUID=study, SeriesInstanceUID=series, ImageComments=deeds.get(number, ""),
            PixelData=encapsulate([frame]),
        )  # fmt: skip
        dataset["PixelData"].is_undefined_length = True
        files.append(part10(dataset, RLELossless))
        path = f"/dicom-web/studies/{study}/series/{series}/instances/{dataset.SOPInstanceUID}/frames/1"
        slices.append(Slice(path, bytes([number % 256, 0] * 256)))
    with WebClient(box.url) as web:
        assert web.stow(stow_body(*files)).status_code == 200
    return slices


def asked(box: Appliance, path: str) -> tuple[requests.Response, float]:
    """Return the answer to one request for a decoded frame, and the seconds it took."""
    begun = time.monotonic()
    with WebClient(box.url) as web:
        return web.get(path, PLAIN, Connection="close"), time.monotonic() - begun


def children(pid: int) -> dict[int, str]:
    """The children of a process: process id to state, "Z" for a zombie."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, _, rest = path.read_text().rpartition(") ")
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent, *_ = rest.split()
        if int(parent) == pid:
            found[int(path.parent.name)] = state
    return found


def descriptors(pid: int) -> list[str]:
    """What a process has open, but for the databases: of those it keeps as many as were used at once."""
    found = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(os.readlink(path))
    return [name for name in found if not name.endswith((".db", "-wal", "-shm"))]


def test_every_other_slice_of_a_series_is_served(box: Appliance) -> None:
    pid = box.room_pid("web")
    slices = stored(box, SLICES, {number: deed for number, (deed, _) in DEEDS.items()})
    asked(box, slices[0].path)
    before = len(descriptors(pid))
    with ThreadPoolExecutor(16) as viewers:
        answers = list(viewers.map(lambda one: asked(box, one.path), slices))
    for number, (one, (answer, seconds)) in enumerate(zip(slices, answers, strict=True)):
        if number not in DEEDS:
            assert (answer.status_code, answer.content) == (200, one.pixels), answer.text
            continue
        assert answer.status_code == DEEDS[number][1]
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["detail"]
        assert seconds < 2 * DEADLINE + SLACK
    assert "Z" not in children(pid).values()
    assert len(children(pid)) <= 2
    # One more child may live than before.
    wait_until(lambda: len(descriptors(pid)) <= before + 1)


def test_the_room_answers_while_every_decoder_hangs(box: Appliance) -> None:
    slices = stored(box, HANGING + 1, dict.fromkeys(range(HANGING), "hang"))
    begun = time.monotonic()
    with ThreadPoolExecutor(HANGING) as viewers:
        hanging = [viewers.submit(asked, box, one.path) for one in slices[:HANGING]]
        while not all(future.done() for future in hanging):
            for path in ("/healthz", "/dicom-web/studies?limit=1"):
                assert box.get(path, SOON)[0] == 200
        statuses = {future.result()[0].status_code for future in hanging}
    assert statuses == {503, 504}
    assert time.monotonic() - begun < 2 * DEADLINE + SLACK
    answer, _ = asked(box, slices[HANGING].path)
    assert (answer.status_code, answer.content) == (200, slices[HANGING].pixels)
    assert "Z" not in children(box.room_pid("web")).values()


def test_a_sheaf_of_pictures_does_not_wait_for_every_one_that_hangs(box: Appliance) -> None:
    slices = stored(box, SHEAF, dict.fromkeys(range(1, SHEAF), "hang"))
    path, _, _ = slices[0].path.partition("/instances")
    begun = time.monotonic()
    with WebClient(box.url) as web:
        answer = web.get(f"{path}/rendered", 'multipart/related; type="image/jpeg"', Connection="close")
    assert answer.status_code == 504
    assert time.monotonic() - begun < 4 * DEADLINE + SLACK
