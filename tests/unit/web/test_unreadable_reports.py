"""Which structured reports would break OHIF, told from their DICOM JSON."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.web.unreadable_reports import can_be_shown

Item = dict[str, Any]


def code(value: str) -> Item:
    return {"vr": "SQ", "Value": [{"00080100": {"vr": "SH", "Value": [value]}}]}


def item(kind: str, concept: str = "1", children: tuple[Item, ...] = (), more: Item | None = None) -> Item:
    document: Item = {"0040A040": {"vr": "CS", "Value": [kind]}, **(more or {})}
    if concept:
        document["0040A043"] = code(concept)
    if children:
        document["0040A730"] = {"vr": "SQ", "Value": list(children)}
    return document


def number(units: bool) -> Item:
    value = {"004008EA": code("mm")} if units else {}
    return item("NUM", more={"0040A300": {"vr": "SQ", "Value": [value]}})


NAMELESS = item("TEXT", "")
TRACKED = item("CONTAINER", "125007", (item("UIDREF", "112040"), number(True)))


def measurements(*groups: Item) -> Item:
    return item("CONTAINER", "126000", (item("CONTAINER", "126010", groups),))


@pytest.mark.parametrize(
    "report",
    [
        item("CONTAINER"),
        item("CONTAINER", "1", (item("TEXT"), number(True))),
        item("CONTAINER", "1", (item("CONTAINER", "", (item("CODE"),)),)),
        # What stands below an item that is no container is not shown.
        item("CONTAINER", "1", (item("TEXT", "1", (NAMELESS,)),)),
        item("CONTAINER", "1", (item("NUM", more={"0040A300": {"vr": "SQ"}}),)),
        measurements(TRACKED),
        measurements(),
    ],
)
def test_a_report_in_order_is_opened(report: Item) -> None:
    assert can_be_shown(report)


@pytest.mark.parametrize(
    "report",
    [
        item("CONTAINER", "1", (NAMELESS,)),
        item("CONTAINER", "1", (item("CONTAINER", "1", (item("IMAGE", ""),)),)),
        item("CONTAINER", "1", (number(False),)),
        measurements(item("CONTAINER", "125007", (number(True),))),
        measurements(item("CONTAINER", "125007", (item("UIDREF", "112040"), NAMELESS))),
        item("CONTAINER", "126000", (NAMELESS,)),
    ],
)
def test_a_report_that_breaks_ohif_is_noticed(report: Item) -> None:
    assert not can_be_shown(report)
