"""Receipts: in the order of their commits, a repeat under a new number, and a cursor that never goes back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from appliance.archive.receipts import Confirmed
from appliance.archive.room import Archive
from appliance.model.receipts import BYTES_CONFIRMED, METADATA_CONFIRMED, Receipt
from appliance.model.records import Stored
from tests.archives import new_archive, sender
from tests.builders.instances import ct, part10
from tests.clocks import FakeClock

SYNTAX = "1.2.840.10008.1.2.1"


@pytest.fixture
def archive(tmp_path: Path, clock: FakeClock) -> Iterator[Archive]:
    """An archive of a receiver."""
    found = new_archive(tmp_path / "home", clock)
    yield found
    found.close()


def stored(archive: Archive, number: int, name: str = "A", syntax: str = SYNTAX) -> Stored:
    """Keep an object and return what ingest says of it; another name is another content."""
    uids = {"StudyInstanceUID": "1.1", "SeriesInstanceUID": "1.1.1", "SOPInstanceUID": f"1.1.1.{number}"}
    return archive.of("north").ingest.receive_file(BytesIO(part10(ct(**uids, PatientName=name), syntax)), sender())


def state(revision: int, series: str = "1.1.1", site: str = "clinic-7") -> Confirmed:
    return Confirmed(site, "north", METADATA_CONFIRMED, "1.1", series, "", "", "", revision, 5)


def listed(archive: Archive, site: str = "clinic-7", after: int = 0, tenant: str = "north") -> list[Receipt]:
    return archive.receipts.page(site, tenant, after, 100)


def test_what_is_stored_is_confirmed_to_its_site_alone(archive: Archive, clock: FakeClock) -> None:
    kept = [stored(archive, 1), stored(archive, 2)]
    archive.receipts.confirm("clinic-7", "north", kept)
    first, second = listed(archive)
    assert first == Receipt(
        1, "clinic-7", "north", BYTES_CONFIRMED, "1.1", "1.1.1", "1.1.1.1", kept[0].digest, SYNTAX, 0, clock.now()
    )
    assert (second.id, second.sop_uid) == (2, "1.1.1.2")
    assert listed(archive, "clinic-8") == [] and listed(archive, tenant="south") == []
    archive.receipts.confirm("clinic-7", "north", [])
    assert archive.receipts.count() == 2


def test_a_repeat_moves_to_the_end(archive: Archive) -> None:
    for _ in range(2):
        archive.receipts.confirm("clinic-7", "north", [stored(archive, 1), stored(archive, 2)])
    assert [(one.id, one.sop_uid) for one in listed(archive)] == [(3, "1.1.1.1"), (4, "1.1.1.2")]
    assert [one.id for one in listed(archive, after=3)] == [4]


def test_contents_and_syntaxes_of_one_uid_are_confirmed_apart(archive: Archive) -> None:
    contents = [stored(archive, 1), stored(archive, 1, "B"), stored(archive, 1, syntax="1.2.840.10008.1.2")]
    archive.receipts.confirm("clinic-7", "north", contents)
    assert len({(one.digest, one.transfer_syntax_uid) for one in listed(archive)}) == 3


def test_what_is_known_and_not_held_is_never_confirmed(archive: Archive) -> None:
    """Somebody deleted it here: it is acknowledged so that its sender stops, and must stay where it is held."""
    gone, kept = stored(archive, 1), stored(archive, 2)
    with archive.database.write() as cx:
        cx.execute("UPDATE version SET deleted_at = 5, standing = 'superseded' WHERE id = ?", (gone.version_id,))
    archive.receipts.confirm("clinic-7", "north", [gone, kept])
    assert [one.sop_uid for one in listed(archive)] == ["1.1.1.2"]
    with archive.database.write() as cx:
        cx.execute("UPDATE version SET blob_kind = 'evicted', blob_path = NULL WHERE id = ?", (kept.version_id,))
    archive.receipts.confirm("clinic-8", "north", [gone, kept])
    assert listed(archive, "clinic-8") == []


def test_an_upload_that_ended_before_is_confirmed_by_what_it_was(archive: Archive) -> None:
    """It is asked for again by its labels, from a file that knows of no row."""
    kept = stored(archive, 1)
    archive.receipts.confirm("clinic-7", "north", [replace(kept, version_id=0)])
    archive.receipts.confirm("clinic-7", "north", [replace(kept, version_id=0, digest="0" * 64)])
    archive.receipts.confirm("clinic-9", "south", [kept])
    assert [one.digest for one in listed(archive)] == [kept.digest]
    assert listed(archive, "clinic-9", tenant="south") == [], "another tenant holds it, not this one"


def test_the_newest_number_is_the_sites_own(archive: Archive) -> None:
    assert archive.receipts.newest("clinic-7", "north") == 0
    archive.receipts.confirm("clinic-7", "north", [stored(archive, 1), stored(archive, 2)])
    archive.receipts.confirm("clinic-8", "north", [stored(archive, 1)])
    assert [archive.receipts.newest(site, "north") for site in ("clinic-7", "clinic-8")] == [2, 3]
    assert archive.receipts.newest("clinic-7", "south") == 0


def test_a_series_is_confirmed_at_its_newest_revision(archive: Archive) -> None:
    archive.receipts.take_over("postgres", [state(5), state(7, "1.1.2")], 2)
    archive.receipts.take_over("postgres", [state(4), state(9)], 4)
    archive.receipts.take_over("postgres", [state(8)], 5)
    found = {one.series_uid: one.revision for one in listed(archive)}
    assert found == {"1.1.1": 9, "1.1.2": 7}


def test_the_cursor_of_a_source_never_goes_back(archive: Archive) -> None:
    assert archive.receipts.cursor("postgres") == 0
    archive.receipts.take_over("postgres", [], 40)
    archive.receipts.take_over("postgres", [state(1)], 3)
    assert archive.receipts.cursor("postgres") == 40
    assert archive.receipts.cursor("another") == 0


def test_a_page_that_cannot_be_written_moves_no_cursor(archive: Archive) -> None:
    broken = Confirmed("clinic-7", "north", "no level", "1.1", "1.1.1", "", "", "", 1, 5)
    with pytest.raises(Exception, match="CHECK"):
        archive.receipts.take_over("postgres", [state(1), broken], 7)
    assert archive.receipts.cursor("postgres") == 0 and listed(archive) == []


def test_receipts_outlive_the_process(archive: Archive, tmp_path: Path) -> None:
    archive.receipts.confirm("clinic-7", "north", [stored(archive, 1)])
    again = Archive.open(archive.settings, "again")
    try:
        assert [one.sop_uid for one in listed(again)] == ["1.1.1.1"]
    finally:
        again.close()
