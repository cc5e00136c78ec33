"""What the self-test says when door or archive do not keep what they were given."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from appliance.access.book import Book
from appliance.access.roles import Role
from appliance.care import knocking
from appliance.care.selftest import journey
from appliance.care.selftest.arriving import Arrivals
from appliance.care.selftest.canary import Canary, canary, new_uid
from appliance.care.selftest.journey import Journey, Wishes
from appliance.care.selftest.notes import Notes
from appliance.care.selftest.step import Ended, Outcome
from appliance.care.selftest.web import TOKEN_NAME, lent_token
from appliance.config import Settings
from appliance.dimse.client import encoded
from appliance.errors import PeerError


def on_its_way(tmp_path: Path, stored: Sequence[Any]) -> Journey:
    """A journey to an archive that holds these."""
    archive: Any = SimpleNamespace(reading=SimpleNamespace(instances=lambda _study: stored))
    return Journey(Settings(home=tmp_path), archive, Wishes(), {})


def kept(folder: Path, bird: Canary) -> list[Any]:
    """What an archive that is well holds of a canary."""
    found = []
    for image in bird.images:
        data, path = encoded(image), folder / str(image.SOPInstanceUID)
        path.write_bytes(b"head" + data)
        digest = hashlib.sha256(data).hexdigest()
        found.append(SimpleNamespace(sop_uid=path.name, digest=digest, path=path, offset=4))
    return found


def looked_at(tmp_path: Path, stored: Sequence[Any], bird: Canary) -> tuple[Outcome, str]:
    way = on_its_way(tmp_path, stored)
    way._archived(bird)
    (step,) = way.protocol.steps
    return step.outcome, step.what


def test_an_archive_that_keeps_something_else_is_told(tmp_path: Path) -> None:
    bird = canary(new_uid(), datetime.now(UTC))
    stored = kept(tmp_path, bird)
    assert looked_at(tmp_path, stored, bird) == (Outcome.OK, "3 images, digests equal")
    assert looked_at(tmp_path, stored[1:], bird) == (Outcome.FAILED, "the archive does not hold what was sent")
    changed = SimpleNamespace(**{**vars(stored[0]), "digest": "0" * 64})
    assert looked_at(tmp_path, [changed, *stored[1:]], bird)[1] == "the archive does not hold what was sent"
    stored[0].path.write_bytes(b"head and other bytes")
    assert looked_at(tmp_path, stored, bird) == (Outcome.FAILED, "the file is not what was sent")


def test_a_door_that_answers_and_refuses_has_failed_and_is_not_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> None:
        raise PeerError("refused with status 0xA700")

    monkeypatch.setattr(knocking, "reach", lambda *_: None)
    monkeypatch.setattr(journey, "store", refuses)
    way = on_its_way(tmp_path, [])
    assert not way._sent(canary(new_uid(), datetime.now(UTC)))
    assert [(step.outcome, step.what) for step in way.protocol.steps] == [
        (Outcome.FAILED, "refused with status 0xA700")
    ]


def test_images_that_come_after_the_deletion_keep_the_note(tmp_path: Path) -> None:
    way = on_its_way(tmp_path, ["one more"])
    done = SimpleNamespace(delete=lambda *_, **__: SimpleNamespace(instances=3))
    setattr(way.archive, "deletions", done)  # noqa: B010  # a stand-in, which has no such type
    notes, study_uid = Notes(tmp_path), new_uid()
    notes.begin(study_uid)
    with way._removed(notes, study_uid):
        pass
    assert way.protocol.steps[-1].outcome is Outcome.FAILED
    assert notes.left() == [study_uid]


def test_tokens_that_killed_runs_left_open_nothing_any_more(tmp_path: Path) -> None:
    with Book(tmp_path) as book:
        book.tokens.add(f"{TOKEN_NAME}left", Role.VIEWER, 900)
        book.tokens.add("dashboard", Role.MONITOR, None)
    with lent_token(Settings(home=tmp_path)) as token, Book(tmp_path) as book:
        assert book.tokens.identify(token) is not None
    with Book(tmp_path) as book:
        assert [row["name"] for row in book.tokens.list() if row["revoked_at"] is None] == ["dashboard"]


def test_a_sink_that_an_operator_holds_is_not_waited_for(tmp_path: Path) -> None:
    way = on_its_way(tmp_path, [])
    held: Any = SimpleNamespace(outbox=SimpleNamespace(stats=lambda: {"outbound": SimpleNamespace(held="by eva")}))
    arrivals = Arrivals(way.settings, held, new_uid(), 0.0, {}, nullcontext)
    with pytest.raises(Ended, match="paused") as ended:
        arrivals.delivered("outbound")
    assert (ended.value.outcome, ended.value.mend) == (Outcome.SKIPPED, "appliance sync resume outbound")
