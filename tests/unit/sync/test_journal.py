"""The log of deliveries joins with that of the door by trace, and names what was given up."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from appliance.archive.outbox import Delivery, Outcome, Verdict
from appliance.sync import journal
from tests.builders.deliveries import Deliveries


@pytest.fixture
def rows(tmp_path: Path) -> list[Delivery]:
    """Five images of two associations."""
    made = Deliveries(tmp_path)
    return [made.image(sop=str(n), trace_id=f"trace-{n}", traceparent=f"parent-{n // 3}") for n in range(1, 6)]


def told(
    caplog: pytest.LogCaptureFixture, level: int, rows: Sequence[Delivery], *outcomes: Outcome
) -> list[MutableMapping[str, Any]]:
    """The lines about these outcomes, at a level of the log."""
    caplog.set_level(level, logger=journal.__name__)
    with structlog.testing.capture_logs() as lines:
        journal.tell("kafka", rows, outcomes)
    return lines


def delivered(rows: Sequence[Delivery]) -> list[Outcome]:
    return [Outcome(row.event_id, Verdict.DELIVERED) for row in rows]


def test_a_batch_is_one_line_with_its_traces(caplog: pytest.LogCaptureFixture, rows: list[Delivery]) -> None:
    (line,) = told(caplog, logging.INFO, rows, *delivered(rows))
    assert (line["event"], line["sink"], line["rows"]) == ("delivered", "kafka", 5)
    assert line["traceparents"] == ["parent-0", "parent-1"]


def test_at_debug_each_row_has_a_line(caplog: pytest.LogCaptureFixture, rows: list[Delivery]) -> None:
    lines = told(caplog, logging.DEBUG, rows, *delivered(rows))
    assert len(lines) == 6
    assert (lines[-1]["trace_id"], lines[-1]["traceparent"]) == ("trace-5", "parent-1")


def test_a_dead_letter_is_named_with_its_reason_and_its_trace(
    caplog: pytest.LogCaptureFixture, rows: list[Delivery]
) -> None:
    dead, waiting = Outcome(rows[0].event_id, Verdict.DEAD, "too large"), Outcome(rows[1].event_id, Verdict.WAIT, "x")
    (line,) = told(caplog, logging.INFO, rows, dead, waiting)
    assert (line["event"], line["log_level"], line["reason"]) == ("dead letter", "warning", "too large")
    assert (line["trace_id"], line["traceparent"]) == ("trace-1", "parent-0")


def test_nothing_settled_is_no_line(caplog: pytest.LogCaptureFixture, rows: list[Delivery]) -> None:
    assert told(caplog, logging.DEBUG, rows) == []


def test_a_batch_of_many_traces_names_a_few(caplog: pytest.LogCaptureFixture, rows: list[Delivery]) -> None:
    many = [replace(rows[0], event_id=number, traceparent=f"p{number}") for number in range(100)]
    (line,) = told(caplog, logging.INFO, many, *delivered(many))
    assert line["traceparents"] == [f"p{number}" for number in range(8)]
