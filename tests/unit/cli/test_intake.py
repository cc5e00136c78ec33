"""The import's engine: bounded, and it ends when the archive cannot go on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from appliance.cli.intake import Fate, Source, Unreadable, take_all
from appliance.errors import ArchiveFailed, Unparseable
from appliance.model.records import Door, Origin, Result
from tests.builders.instances import ct, part10
from tests.waiting import wait_until

ORIGIN = Origin(Door.IMPORT, "here")
WORKERS = 2


class Ingest:
    """Takes every file once its gate is open."""

    def __init__(self, result: Result | Exception = Result.STORED, *, is_open: bool = True) -> None:
        self.gate = threading.Event()
        self.calls = 0
        self._result = result
        if is_open:
            self.gate.set()

    def receive_file(self, stream: Source, origin: Origin) -> Any:
        self.calls += 1
        self.gate.wait(10)
        if isinstance(self._result, Exception):
            raise self._result
        return SimpleNamespace(result=self._result)


def archive(ingest: Ingest) -> Any:
    return SimpleNamespace(ingest=ingest)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.dcm" for number in range(20)]
    for path in paths:
        path.write_bytes(part10(ct()))
    return paths


def test_no_more_than_twice_the_workers_wait(files: list[Path]) -> None:
    ingest, pulled = Ingest(is_open=False), []

    def walk() -> Iterator[Path]:
        for path in files:
            pulled.append(path)
            yield path

    outcomes: list[Fate] = []
    importing = threading.Thread(
        target=lambda: outcomes.extend(
            one.fate for one in take_all(archive(ingest), walk(), ORIGIN, frozenset(), WORKERS)
        )
    )
    importing.start()
    wait_until(lambda: ingest.calls == WORKERS and len(pulled) == 2 * WORKERS)
    ingest.gate.set()
    importing.join(10)
    assert outcomes == [Fate.STORED] * len(files)


@pytest.mark.parametrize(
    ("result", "fate"),
    [
        (Result.STORED, Fate.STORED),
        (Result.RESTORED, Fate.STORED),
        (Result.DUPLICATE, Fate.DUPLICATE),
        (Result.CONFLICT, Fate.CONFLICT),
        (Unparseable("no UIDs"), Fate.QUARANTINED),
        (Unreadable("bad sector"), Fate.FAILED),
    ],
)
def test_each_result_has_its_fate(files: list[Path], result: Result | Exception, fate: Fate) -> None:
    (outcome,) = take_all(archive(Ingest(result)), files[:1], ORIGIN, frozenset(), WORKERS)
    assert outcome.fate is fate
    assert bool(outcome.mark) == (fate in (Fate.STORED, Fate.DUPLICATE, Fate.CONFLICT))


def test_a_failed_archive_ends_the_import(files: list[Path]) -> None:
    ingest = Ingest(ArchiveFailed("fsync failed"))
    with pytest.raises(ArchiveFailed):
        list(take_all(archive(ingest), files, ORIGIN, frozenset(), WORKERS))
    assert ingest.calls <= 2 * WORKERS


def test_what_an_earlier_run_took_is_passed_by(files: list[Path]) -> None:
    ingest = Ingest()
    marks = {one.mark for one in take_all(archive(ingest), files[:5], ORIGIN, frozenset(), WORKERS)}
    again = list(take_all(archive(ingest), files[:6], ORIGIN, marks, WORKERS))
    assert sorted(one.fate for one in again) == sorted([Fate.EARLIER] * 5 + [Fate.STORED])
    assert ingest.calls == 6
