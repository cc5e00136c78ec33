"""Several sinks at once under policies, served by a real sync process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.model.routes import Route, Selection
from tests.integration.sync.boxes import Box
from tests.partners.outbound import Outbound
from tests.waiting import wait_until

NOBODY = 999


def sinks(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """Five sinks: one takes all, one CT alone, one is limited to nearly nothing, one is not there, one forgets."""
    (tmp_path / "all").mkdir()
    return {
        "all": {"path": str(tmp_path / "all")},
        "ct": {"filter": {"modalities": ["CT"]}, "required": False},
        "slow": {"rates": [{"bytes_per_second": 1}]},
        "gone": {"path": str(tmp_path / "gone")},
        "drill": {"kind": "memory"},
    }


@pytest.fixture
def five(tmp_path: Path) -> Iterator[Box]:
    """A box with these sinks."""
    configured = sinks(tmp_path)
    routes = tuple(
        Route("ct", selection=Selection(("CT",)), required=False) if name == "ct" else Route(name)
        for name in configured
    )
    with Box(tmp_path / "home", {"APPLIANCE__SYNC__SINKS": json.dumps(configured)}, sinks=routes) as box:
        yield box


def test_every_sink_goes_at_its_own_pace_and_a_dead_one_holds_up_nobody(five: Box, tmp_path: Path) -> None:
    five.store(3, Modality="CT")
    five.store(3, Modality="MR")
    five.start()
    for name in ("all", "ct", "drill"):
        five.wait_drained(name)
    wait_until(lambda: five.stats("gone").breaker == "paused" and five.stats("slow").delivered)
    five.store(2, Modality="CT")  # the door goes on as well
    for name in ("all", "ct", "drill"):
        five.wait_drained(name)
    Outbound(tmp_path / "all").assert_complete(five.archive)
    assert len(Outbound(five.home / "ct").objects()) == 5
    assert {record["modality"] for record in Outbound(five.home / "ct").records("dicom_state_queue")} == {"CT"}
    stats = five.archive.outbox.stats()
    assert stats["gone"].delivered == 0
    assert {row["attempts"] for row in five.archive.outbox.list(sink="gone", limit=NOBODY)} == {0}
    assert 0 < stats["slow"].delivered < stats["all"].delivered
    assert [name for name, found in stats.items() if not found.required] == ["ct"]
    published = five.published()["sinks"]
    assert published["all"]["failed"] == published["all"]["waited"] == 0
    wait_until(lambda: five.published()["sinks"]["slow"]["limit"] == 1)


def test_a_sink_that_comes_back_gets_all_it_missed(five: Box, tmp_path: Path) -> None:
    five.store(3)
    five.start()
    wait_until(lambda: five.stats("gone").breaker == "paused")
    (tmp_path / "gone").mkdir()
    five.wait_drained("gone")
    Outbound(tmp_path / "gone").assert_complete(five.archive)


def test_a_pause_outlives_the_process_and_ends_by_the_operators_word(box: Box) -> None:
    box.appliance.command("sync", "pause", "outbound", "--reason", "the line is being moved")
    box.store(3)
    box.start()
    wait_until(lambda: box.published().get("sinks", {}).get("outbound", {}).get("held"))
    box.appliance.kill("sync")
    box.start()
    box.appliance.wait_ready("sync")
    wait_until(lambda: box.published().get("sinks", {}).get("outbound", {}).get("held") == "the line is being moved")
    shown = json.loads(box.appliance.command("status", "--json", check=False).stdout)["sinks"]["outbound"]
    assert (shown["held"], shown["delivered"], shown["breaker"]) == ("the line is being moved", 0, "closed")
    assert "is paused by the operator: the line is" in box.appliance.command("status", check=False).stdout
    box.appliance.command("sync", "resume", "outbound")
    box.wait_drained()
    box.outbound.assert_complete(box.archive)


def test_pausing_a_running_sink_keeps_what_comes_next(box: Box) -> None:
    box.store(2)
    box.start()
    box.wait_drained()
    before = box.stats().delivered
    box.appliance.command("sync", "pause", "outbound", "--reason", "x")
    wait_until(lambda: box.published()["sinks"]["outbound"]["held"] == "x")
    box.store(2)
    assert (box.stats().delivered, box.stats().held) == (before, "x")
    box.appliance.command("sync", "resume", "outbound")
    box.wait_drained()
    box.outbound.assert_complete(box.archive)


def test_verbs_about_what_is_not_there_say_so(box: Box) -> None:
    for words in (("pause", "x", "--reason", "y"), ("resume", "x"), ("now", "1.2.3")):
        done = box.appliance.command("sync", *words, check=False)
        assert done.returncode == 66
        assert "there is no s" in done.stderr
    assert box.appliance.command("sync", "now", "not-a-uid", check=False).returncode == 2


def test_a_relative_credential_without_a_directory_names_the_key(box: Box) -> None:
    sink = {"kind": "stow", "url": "https://pacs.invalid/dicom-web", "token_file": "token"}
    box.appliance.start("sync", environ={"APPLIANCE__SYNC__SINKS": json.dumps({"outbound": sink})})
    process = box.appliance._processes["sync"]
    assert process.wait(30) == 78
    assert "sync.sinks.outbound.token_file = 'token' is relative" in box.appliance.output()
