"""The directory sink's own promises, beyond the contract."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from appliance.archive import files
from appliance.archive.outbox import Delivery
from appliance.errors import DeliveryError
from appliance.sync.sinks import directory as directory_module
from appliance.sync.sinks import lines as lines_module
from appliance.sync.sinks import objects as objects_module
from appliance.sync.sinks.contract import Misconfigured, RowFault, Unreachable
from appliance.sync.sinks.directory import DirectorySink
from tests.builders.deliveries import Deliveries


@pytest.fixture
def make(tmp_path: Path) -> Deliveries:
    held = tmp_path / "archive"
    held.mkdir()
    return Deliveries(held)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "outbound"
    path.mkdir()
    return path


def _object(root: Path, row: Delivery) -> Path:
    return root / "objects" / row.tenant / row.study_uid / row.series_uid / f"{row.sop_uid}.dcm"


def test_the_whole_file_with_group_2_is_copied(root: Path, make: Deliveries) -> None:
    row = make.object(data=os.urandom(3_000_001))
    DirectorySink(root).deliver([row])
    assert row.blob is not None
    assert _object(root, row).read_bytes() == row.blob.path.read_bytes()


def test_an_equal_copy_is_left_alone(root: Path, make: Deliveries) -> None:
    row, sink = make.object(), DirectorySink(root)
    sink.deliver([row])
    before = _object(root, row).stat().st_ino
    sink.deliver([row])
    assert _object(root, row).stat().st_ino == before


def test_a_damaged_copy_is_replaced(root: Path, make: Deliveries) -> None:
    row, sink = make.object(), DirectorySink(root)
    sink.deliver([row])
    good = _object(root, row).read_bytes()
    _object(root, row).write_bytes(b"X" * len(good))
    sink.deliver([row])
    assert _object(root, row).read_bytes() == good


@pytest.mark.parametrize("present", [False, True])
def test_a_damaged_source_is_never_passed_on(root: Path, make: Deliveries, present: bool) -> None:
    row, sink = make.object(), DirectorySink(root)
    assert row.blob is not None
    data = row.blob.path.read_bytes()
    damaged = data[:-1] + bytes([data[-1] ^ 1])
    row.blob.path.write_bytes(damaged)
    if present:
        _object(root, row).parent.mkdir(parents=True)
        _object(root, row).write_bytes(damaged)
    assert isinstance(sink.deliver([row])[row.event_id], RowFault)
    assert not list((root / ".incoming").iterdir())
    assert not (root / "log_queue").exists()


def test_a_missing_source_is_the_rows_fault(root: Path, make: Deliveries) -> None:
    rows = [make.object(sop="1", data=b"1"), make.object(sop="2", data=b"2")]
    assert rows[0].blob is not None
    rows[0].blob.path.unlink()
    answers = DirectorySink(root).deliver(rows)
    assert isinstance(answers[rows[0].event_id], RowFault)
    assert answers[rows[1].event_id] is None


def test_half_copies_of_a_killed_writer_are_swept(root: Path, make: Deliveries) -> None:
    (root / ".incoming").mkdir()
    (root / ".incoming" / "1.2.3.dcm").write_bytes(b"half")
    DirectorySink(root).deliver([make.object()])
    assert not list((root / ".incoming").iterdir())


def test_one_writer_at_a_time(root: Path, make: Deliveries) -> None:
    first, second = DirectorySink(root), DirectorySink(root)
    first.deliver([make.state()])
    answer = next(iter(second.deliver([make.state()]).values()))
    assert isinstance(answer, Misconfigured)
    assert "another process" in answer.message
    first.close()
    assert set(second.deliver([make.state()]).values()) == {None}


def test_a_missing_root_pauses_unless_it_is_our_own(tmp_path: Path, make: Deliveries) -> None:
    root = tmp_path / "unmounted"
    answer = next(iter(DirectorySink(root).deliver([make.state()]).values()))
    assert isinstance(answer, Misconfigured)
    assert "create it, or mount its disk" in answer.hint
    assert str(root) not in answer.message
    assert set(DirectorySink(root, create=True).deliver([make.state()]).values()) == {None}


def test_a_root_that_was_swapped_is_opened_anew(root: Path, make: Deliveries) -> None:
    sink = DirectorySink(root)
    sink.deliver([make.state()])
    root.rename(root.with_name("carried away"))
    root.mkdir()
    sink.deliver([make.state()])
    assert list((root / "dicom_state_queue").iterdir())
    sink.close()


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, Unreachable),
        (errno.EDQUOT, Unreachable),
        (errno.EIO, Unreachable),
        (errno.ESTALE, Unreachable),
        (errno.EMFILE, Unreachable),
        (errno.EACCES, Misconfigured),
        (errno.EROFS, Misconfigured),
        (errno.EXDEV, Misconfigured),
        (errno.EFBIG, RowFault),
        (errno.EILSEQ, DeliveryError),
    ],
)
def test_every_error_of_the_disk_has_its_kind(
    root: Path, make: Deliveries, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    def failing(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(objects_module, "write_all", failing)
    row = make.object()
    answer = DirectorySink(root).deliver([row])[row.event_id]
    assert type(answer) is kind
    assert not list((root / ".incoming").iterdir())


def test_rows_before_an_obstacle_are_delivered(root: Path, make: Deliveries, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [make.state(), *(make.object(sop=str(n), data=str(n).encode()) for n in range(4))]
    copied: list[int] = []
    whole = files.write_all

    def full_at_the_third(descriptor: int, data: bytes) -> None:
        copied.append(descriptor)
        if len(copied) == 3:
            raise OSError(errno.ENOSPC, "full")
        whole(descriptor, data)

    monkeypatch.setattr(objects_module, "write_all", full_at_the_third)
    answers = list(DirectorySink(root).deliver(rows).values())
    assert [type(answer) for answer in answers] == [type(None)] * 3 + [Unreachable] * 2


def test_store_records_come_only_after_the_directory_entries_are_durable(
    root: Path, make: Deliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: Path) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(objects_module, "fsync_directory", failing)
    row = make.object()
    assert isinstance(DirectorySink(root).deliver([row])[row.event_id], Unreachable)
    assert not (root / "log_queue").exists()


def test_a_defect_lets_go_of_the_lock(root: Path, make: Deliveries, monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(*_: Any) -> None:
        raise RuntimeError("defect")

    sink = DirectorySink(root)
    monkeypatch.setattr(directory_module, "seal", defect)
    with pytest.raises(RuntimeError):
        sink.deliver([make.state()])
    monkeypatch.undo()
    assert set(DirectorySink(root).deliver([make.state()]).values()) == {None}


def test_bytes_then_name_then_entry_then_record(root: Path, make: Deliveries, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []

    def recorded(name: str, call: Any) -> Any:
        def step(*arguments: Any) -> Any:
            steps.append(name)
            return call(*arguments)

        return step

    sink = DirectorySink(root)
    sink.deliver([make.object(sop="1", data=b"1")])  # directories and topics exist from here on
    monkeypatch.setattr(objects_module, "fsync", recorded("fsync file", files.fsync))
    monkeypatch.setattr(os, "replace", recorded("rename", os.replace))
    monkeypatch.setattr(objects_module, "fsync_directory", recorded("fsync directory", files.fsync_directory))
    monkeypatch.setattr(lines_module, "write_all", recorded("write line", files.write_all))
    monkeypatch.setattr(lines_module, "fsync", recorded("fsync line", files.fsync))
    sink.deliver([make.object(sop="2", data=b"2")])
    lines = ["write line", "fsync line"] * 2
    assert steps == ["fsync file", "rename", "fsync directory", *lines]
    sink.close()
