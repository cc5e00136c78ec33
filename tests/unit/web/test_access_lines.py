"""Access lines: gathered without waiting, written together, bounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
from flask import Flask, Response, request

from appliance.access.roles import Permission
from appliance.archive.accesses import Access, Accesses
from appliance.errors import Busy
from appliance.http import access_log
from appliance.web.access_lines import AccessLines
from appliance.web.principal import Principal
from tests.clocks import FakeClock

ANN = Principal("site-1", "default", "ann", "account:1", frozenset({Permission.READ}))


class Outbox:
    """Takes lines, unless it is told to be busy."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Access]] = []
        self.busy = False

    def append(self, accesses: Sequence[Access]) -> int:
        """Take a batch, or be busy."""
        if self.busy:
            raise Busy("busy")
        self.batches.append(accesses)
        return 0


@pytest.fixture
def outbox() -> Outbox:
    """Where lines end."""
    return Outbox()


@pytest.fixture
def lines(outbox: Outbox) -> AccessLines:
    """Lines whose thread does not run."""
    return AccessLines(cast(Accesses, outbox), FakeClock())


def asked(lines: AccessLines, path: str, endpoint: str = "pages.studies", **environ: Any) -> None:
    app = Flask("door")
    app.add_url_rule(path.partition("?")[0], endpoint, lambda: "")
    base = {"REMOTE_ADDR": "2001:db8::1", "REMOTE_PORT": "4711", **environ}
    with app.test_request_context(path, environ_base=base):
        lines.note(request, Response("twelve bytes"), ANN, 0.0)


def test_a_line_says_who_and_what_without_the_query(lines: AccessLines, outbox: Outbox) -> None:
    asked(lines, "/?name=Somebody", HTTP_AUTHORIZATION="Bearer x")
    lines.write()
    ((line,),) = outbox.batches
    assert (line.user, line.user_id, line.path, line.status) == ("ann", "account:1", "/", 200)
    assert (line.peer, line.length) == ("[2001:db8::1]:4711", "12")
    assert "Somebody" not in f"{line.path}{line.peer}{line.request_id}"


def test_what_shows_no_patient_makes_no_line(lines: AccessLines, outbox: Outbox) -> None:
    asked(lines, "/healthz", "health.alive")
    asked(lines, "/nowhere", "unknown")
    lines.write()
    assert outbox.batches == []


def test_many_reads_are_one_batch(lines: AccessLines, outbox: Outbox) -> None:
    for _ in range(300):
        asked(lines, "/")
    lines.write()
    assert [len(batch) for batch in outbox.batches] == [300]
    assert len({line.request_id for line in outbox.batches[0]}) == 300


def test_an_open_page_that_looks_again_is_one_line(lines: AccessLines, outbox: Outbox) -> None:
    for _ in range(50):
        asked(lines, "/?live=1")
    asked(lines, "/")
    lines.write()
    assert [len(batch) for batch in outbox.batches] == [2]


def test_data_is_one_line_each_whatever_a_program_says(lines: AccessLines, outbox: Outbox) -> None:
    for _ in range(5):
        asked(lines, "/dicom-web/studies?live=1", "qido.studies")
    lines.write()
    assert [len(batch) for batch in outbox.batches] == [5]


def test_a_busy_database_loses_nothing_and_order_stays(lines: AccessLines, outbox: Outbox) -> None:
    asked(lines, "/one")
    outbox.busy = True
    lines.write()
    asked(lines, "/two")
    outbox.busy = False
    lines.write()
    assert [[line.path for line in batch] for batch in outbox.batches] == [["/one", "/two"]]


def test_memory_is_bounded(lines: AccessLines, outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "MOST_LINES", 3)
    for _ in range(5):
        asked(lines, "/")
    lines.write()
    assert [len(batch) for batch in outbox.batches] == [3]


def test_what_is_there_at_the_end_is_written(lines: AccessLines, outbox: Outbox) -> None:
    lines.start()
    asked(lines, "/")
    lines.stop()
    lines.stop()
    assert sum(map(len, outbox.batches)) == 1
