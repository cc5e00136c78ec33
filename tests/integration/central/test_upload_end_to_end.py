"""A box sends a huge object to the receiver in pieces, over a line that breaks all the time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.archives import sender
from tests.builders.large import large_row
from tests.crash.storing import opened
from tests.integration.sync.stow_boxes import attempts, digests, stow_box
from tests.partners.centre import Centre
from tests.partners.fault_proxy import FaultProxy
from tests.partners.faults import reset_every
from tests.partners.upload_receiver import digests as held

MIB = 1 << 20
TOKEN = "a-token-of-clinic-1"


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    with Centre(tmp_path / "c") as found:
        found.admit("clinic-1", "mercy", token_sha256=(hashlib.sha256(TOKEN.encode()).hexdigest(),))
        (found.folder / "token").write_text(TOKEN)
        found.start()
        found.wait_ready()
        yield found


@pytest.mark.parametrize("mebibytes", [24, pytest.param(600, marks=[pytest.mark.full, pytest.mark.timeout(900)])])
def test_a_boxs_huge_object_arrives_at_the_first_attempt(centre: Centre, tmp_path: Path, mebibytes: int) -> None:
    row = large_row(tmp_path, mebibytes * MIB)
    assert row.blob is not None
    with FaultProxy(centre.port) as line:
        options = {"offset_threshold": MIB, "token_file": str(centre.folder / "token"), "read_timeout": 20}
        with stow_box(tmp_path / "home", f"http://127.0.0.1:{line.port}/dicom-web", **options) as box:
            with row.blob.path.open("rb") as file:
                box.archive.ingest.receive_file(file, sender())
            line.set(reset_every(3_000_000))
            box.start()
            box.wait_drained(seconds=mebibytes * 2)
            assert (box.stats().dead, attempts(box)) == (0, {1})
            assert line.fired > mebibytes // 3
            sent = digests(box)
    centre.kill()
    with opened(centre.home) as archive:
        assert held(archive) == sent == {row.sop_uid: row.blob.digest}
        # One upload from its beginning to its end, however often the line broke.
        assert len(list((centre.home / "uploads").iterdir())) == 1
        assert archive.of("mercy").reading.instances(row.study_uid)
