"""Previews of an export: bounded in number and time, and never in the way of the export itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from appliance.archive.reading import StoredInstance
from appliance.archive.search import Found
from appliance.codec.faults import CodecFault, Kind
from appliance.codec.outcome import Outcome
from appliance.codec.source import Source
from appliance.web.previews import MOST_COSTLY, MOST_PICTURES, MOST_SECONDS, Previews, spread
from tests.clocks import FakeClock

CT = "1.2.840.10008.5.1.4.1.1.2"


def instance(number: int, series: int = 1) -> StoredInstance:
    return StoredInstance(
        version_id=number, study_uid="1.1", series_uid=f"1.1.{series}", sop_uid=f"1.1.{series}.{number}",
        sop_class_uid=CT, transfer_syntax_uid="1.2.840.10008.1.2.1", digest="d", path=Path("absent"), offset=0,
        length=1, file_size=1, assumed_charset="", held=True,
    )  # fmt: skip


class Desk:
    """Previews of so many slices in so many series, drawn by a codec that a test makes up."""

    def __init__(self, slices: int, series: int = 1, edge: int = 64) -> None:
        self.clock = FakeClock()
        self.asked: list[dict[str, Any]] = []
        self.fault: CodecFault | None = None
        self.seconds = 0.0
        held = [instance(number, one) for one in range(series) for number in range(slices)]
        row: Found = {"SOPClassUID": CT, "Rows": edge, "Columns": edge, "InstanceNumber": 1,
                      "SeriesDescription": None, "Modality": "CT"}  # fmt: skip
        files = {one.sop_uid: ("DICOM", one.series_uid, one.sop_uid) for one in held}
        self.previews = Previews(
            self.run, held, files, {one.sop_uid: row for one in held}, self.clock.monotonic
        )  # fmt: skip

    def run(self, operation: str, source: Source, arguments: dict[str, Any]) -> Outcome:
        """Draw as the codec does."""
        self.asked.append(arguments)
        self.clock.advance(self.seconds)
        if self.fault:
            raise self.fault
        return Outcome({}, b"picture")


def test_a_large_study_has_some_of_every_series() -> None:
    desk = Desk(400, series=3)
    paths = [path for path, _ in desk.previews.members()]
    assert len(paths) == MOST_PICTURES
    assert [len(sheet.previews) for sheet in desk.previews.sheets] == [100, 100, 100]
    assert [sheet.count for sheet in desk.previews.sheets] == [400, 400, 400]


def test_those_chosen_reach_from_the_first_to_the_last() -> None:
    ten = [instance(number) for number in range(10)]
    assert [one.version_id for one in spread(ten, 4)] == [0, 3, 6, 9]
    assert [one.version_id for one in spread(ten, 1)] == [5]
    assert spread(ten, 10) == ten


def test_drawing_ends_when_its_time_is_over_or_decoders_are_lost() -> None:
    slow = Desk(50)
    slow.seconds = MOST_SECONDS / 10
    assert len(list(slow.previews.members())) == 11
    crashing = Desk(50)
    crashing.fault = CodecFault(Kind.CRASHED)
    assert list(crashing.previews.members()) == []
    assert len(crashing.asked) == MOST_COSTLY
    refused = Desk(5)
    refused.fault = CodecFault(Kind.REFUSED)
    assert list(refused.previews.members()) == []
    assert len(refused.asked) == 5
    assert [sheet.count for sheet in refused.previews.sheets] == [5]


def test_only_large_pictures_are_made_smaller() -> None:
    for edge, asked in ((512, False), (4000, True)):
        desk = Desk(1, edge=edge)
        list(desk.previews.members())
        assert ("viewport" in desk.asked[0]) is asked
