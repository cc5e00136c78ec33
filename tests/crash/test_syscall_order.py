"""Invariant 1, seen from the kernel: every sync precedes the bytes of the success response."""

from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import dcmread

from tests.archives import new_archive
from tests.crash.storing import Ledger, send, slices
from tests.crash.syscalls import Call, calls, traced, violations
from tests.partners.appliance import Appliance


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Call], list[str], str]:
    """The calls of one C-STORE into a new study, its directories from the root down, and its path."""
    home = tmp_path_factory.mktemp("order") / "home"
    new_archive(home).close()
    output, ledger = home.parent / "trace", Ledger()
    (one,) = slices(1)
    with Appliance(home) as box:
        pid = box.start("scp")
        box.wait_ready("scp")
        with traced(pid, output):
            assert send(box.scp_port, [one], ledger)
    assert ledger.statuses == [0]
    dataset = dcmread(BytesIO(one.data), force=True)
    root = home / "archive" / "default"
    series = root / dataset.StudyInstanceUID / dataset.SeriesInstanceUID
    directories = [str(path) for path in (root, series.parent, series)]
    return calls(output.read_text()), directories, str(series / f"{one.sop_uid}.dcm")


def test_invariant_1_syscall_order(recorded: tuple[list[Call], list[str], str]) -> None:
    trace, directories, final = recorded
    assert violations(trace, directories, final) == []


@pytest.mark.parametrize(
    "step",
    ["file", "rename", "tenant directory", "study directory", "series directory", "log write", "log sync"],
)
def test_the_judge_misses_each_step_that_is_taken_away(recorded: tuple[list[Call], list[str], str], step: str) -> None:
    trace, directories, final = recorded
    syncs = ("fsync", "fdatasync")
    gone = {
        "file": lambda c: c.name in syncs and "/spool/" in c.subject,
        "rename": lambda c: c.name.startswith("rename"),
        "tenant directory": lambda c: c.name in syncs and c.subject == directories[0],
        "study directory": lambda c: c.name in syncs and c.subject == directories[1],
        "series directory": lambda c: c.name in syncs and c.subject == directories[2],
        "log write": lambda c: c.name == "pwrite64" and c.subject.endswith("-wal"),
        "log sync": lambda c: c.name in syncs and c.subject.endswith("-wal"),
    }[step]
    assert any(gone(call) for call in trace)
    assert violations([call for call in trace if not gone(call)], directories, final) != []


def test_the_judge_sees_a_sync_that_comes_too_late(recorded: tuple[list[Call], list[str], str]) -> None:
    trace, directories, final = recorded
    late = [call for call in trace if call.subject.endswith("-wal")]
    early = [call for call in trace if not call.subject.endswith("-wal")]
    assert violations(early + late, directories, final) != []


def test_the_judge_sees_an_answer_that_comes_too_early(recorded: tuple[list[Call], list[str], str]) -> None:
    trace, directories, final = recorded
    sends = [number for number, call in enumerate(trace) if call.name == "sendto"]
    assert len(sends) == 3, "acceptance, C-STORE response, release response"
    early = [trace[sends[1]], *trace[: sends[1]], *trace[sends[1] + 1 :]]
    assert violations(early, directories, final) != []
