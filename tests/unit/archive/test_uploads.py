"""Uploads on disk: what was acknowledged is there after any death, and the quota is what it says."""

from __future__ import annotations

import os
import shutil
import tempfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from appliance.archive import upload as upload_room
from appliance.archive.files import write_all
from appliance.archive.reserve import Disk, Reserve
from appliance.archive.upload import Upload, WrongOffset
from appliance.archive.upload_facts import Answer, Owner
from appliance.archive.uploads import DAY, MOST_OF_ONE_SITE, Occupied, UploadLimits, Uploads
from appliance.errors import ArchiveFailed, DiskFull, NotFound, TooLarge
from tests.clocks import FakeClock

ONE, OTHER = Owner("clinic-1", "one"), Owner("clinic-2", "one")
LABELS = {"digest": "0" * 64, "sop_uid": "1.2.3"}
STORED = Answer(200, "{}", {"sop_uid": "1.2.3"})
FAILED = Answer(409, "{}")
LIMITS = UploadLimits(quota_bytes=10_000, object_bytes=4_000, days=2)
SECONDS_OF_A_DAY = DAY / 1_000_000


class Broken(BytesIO):
    """A stream that ends in an error after its bytes."""

    def read(self, size: int | None = -1, /) -> bytes:
        if data := super().read(size):
            return data
        raise ConnectionResetError


class Room(Reserve):
    """A disk with as much room as a test says."""

    free_bytes = 1 << 40

    def disk(self) -> Disk:
        return Disk(self.free_bytes, 1000)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def reserve(tmp_path: Path) -> Room:
    return Room(tmp_path, 1000)


@pytest.fixture
def uploads(tmp_path: Path, clock: FakeClock, reserve: Room) -> Uploads:
    return Uploads(tmp_path / "uploads", LIMITS, reserve, clock)


def again(uploads: Uploads, clock: FakeClock) -> Uploads:
    """The same directory, after a restart."""
    return Uploads(uploads._directory, LIMITS, Room(uploads._directory, 0), clock)


def put(uploads: Uploads, upload: Upload, data: bytes) -> int:
    with uploads.writing(upload):
        return uploads.append(upload, upload.offset, BytesIO(data))


def test_what_was_acknowledged_is_there_after_a_restart(uploads: Uploads, clock: FakeClock) -> None:
    upload = uploads.begin(ONE, 100, LABELS)
    assert put(uploads, upload, b"a" * 60) == 60
    found = again(uploads, clock).find(ONE, upload.name)
    assert (found.offset, found.facts) == (60, upload.facts)
    with found.open() as file:
        assert file.read() == b"a" * 60


def test_bytes_that_were_not_acknowledged_do_not_count(uploads: Uploads, clock: FakeClock) -> None:
    upload = uploads.begin(ONE, 100, LABELS)
    put(uploads, upload, b"a" * 60)
    with (uploads._directory / upload.name / "bytes").open("ab") as file:
        file.write(b"torn" * 50)
    later = again(uploads, clock)
    found = later.find(ONE, upload.name)
    assert found.offset == 60
    assert put(later, found, b"b" * 40) == 100
    with found.open() as file:
        assert file.read() == b"a" * 60 + b"b" * 40


def test_a_stream_that_breaks_off_leaves_what_had_come(uploads: Uploads, clock: FakeClock) -> None:
    upload = uploads.begin(ONE, 100, LABELS)
    with uploads.writing(upload), pytest.raises(ConnectionResetError):
        uploads.append(upload, 0, Broken(b"a" * 30))
    assert upload.offset == again(uploads, clock).find(ONE, upload.name).offset == 30


def test_on_a_full_disk_what_had_come_is_kept(
    uploads: Uploads, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = uploads.begin(ONE, 100, LABELS)
    real = write_all

    def write(descriptor: int, data: bytes) -> None:
        real(descriptor, data[:3])
        if not data.startswith(b"a"):
            raise OSError(28, "ENOSPC")
        real(descriptor, data[3:])

    monkeypatch.setattr(upload_room, "BLOCK", 10)
    monkeypatch.setattr(upload_room, "write_all", write)
    with uploads.writing(upload), pytest.raises(DiskFull):
        uploads.append(upload, 0, BytesIO(b"a" * 20 + b"b" * 10))
    monkeypatch.undo()
    later = again(uploads, clock)
    found = later.find(ONE, upload.name)
    assert upload.offset == found.offset == 20
    put(later, found, b"c" * 80)
    with found.open() as file:
        assert file.read() == b"a" * 20 + b"c" * 80


def test_nothing_is_acknowledged_after_a_write_that_failed(
    uploads: Uploads, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = uploads.begin(ONE, 100, LABELS)

    def write(_: int, data: bytes) -> None:
        if data.startswith(b"b"):
            raise OSError(5, "EIO")

    monkeypatch.setattr(upload_room, "BLOCK", 10)
    monkeypatch.setattr(upload_room, "write_all", write)
    with uploads.writing(upload), pytest.raises(ArchiveFailed):
        uploads.append(upload, 0, BytesIO(b"a" * 20 + b"b" * 10))
    assert upload.offset == again(uploads, clock).find(ONE, upload.name).offset == 0


def test_nothing_is_acknowledged_after_an_fsync_that_failed(
    uploads: Uploads, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = uploads.begin(ONE, 100, LABELS)

    def fail(_: int) -> None:
        raise OSError(5, "EIO")

    monkeypatch.setattr(os, "fsync", fail)
    with uploads.writing(upload), pytest.raises(ArchiveFailed):
        uploads.append(upload, 0, BytesIO(b"a" * 30))
    monkeypatch.undo()
    assert upload.offset == again(uploads, clock).find(ONE, upload.name).offset == 0


def test_the_bytes_are_fsynced_before_the_mark(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = uploads.begin(ONE, 100, LABELS)
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    put(uploads, upload, b"a" * 60)
    assert synced == ["bytes", "mark"]


def test_another_offset_is_refused(uploads: Uploads) -> None:
    upload = uploads.begin(ONE, 100, LABELS)
    put(uploads, upload, b"a" * 60)
    for wrong in (0, 59, 61):
        with pytest.raises(WrongOffset):
            uploads.append(upload, wrong, BytesIO(b"x"))
    assert upload.offset == 60


def test_no_more_is_taken_than_was_announced(uploads: Uploads) -> None:
    upload = uploads.begin(ONE, 100, LABELS)
    assert put(uploads, upload, b"a" * 500) == 100
    assert upload.complete


def test_the_same_labels_of_the_same_site_find_the_unfinished_one(uploads: Uploads, clock: FakeClock) -> None:
    upload = uploads.begin(ONE, 100, LABELS)
    assert uploads.begin(ONE, 100, LABELS) is upload
    assert again(uploads, clock).begin(ONE, 100, LABELS).name == upload.name
    assert uploads.begin(OTHER, 100, LABELS) is not upload
    assert uploads.begin(ONE, 101, LABELS) is not upload
    assert uploads.begin(ONE, 100, {**LABELS, "sop_uid": "1.2.4"}) is not upload


def test_an_owner_sees_its_own_alone(uploads: Uploads) -> None:
    upload = uploads.begin(ONE, 100, LABELS)
    assert uploads.find(ONE, upload.name) is upload
    for owner, name in ((OTHER, upload.name), (Owner("clinic-1", "two"), upload.name), (ONE, "../x"), (ONE, "")):
        with pytest.raises(NotFound):
            uploads.find(owner, name)


def test_one_writer_at_a_time(uploads: Uploads) -> None:
    upload = uploads.begin(ONE, 100, LABELS)
    with uploads.writing(upload), pytest.raises(Occupied), uploads.writing(upload):
        pass
    with uploads.writing(upload):
        pass


def test_the_answer_is_kept_over_a_restart_and_the_bytes_are_not(uploads: Uploads, clock: FakeClock) -> None:
    upload = uploads.begin(ONE, 3, LABELS)
    put(uploads, upload, b"abc")
    with uploads.writing(upload):
        uploads.finish(upload, STORED)
    later = again(uploads, clock)
    found = later.find(ONE, upload.name)
    assert (found.answer, found.offset, found.complete) == (STORED, 3, True)
    assert not (uploads._directory / upload.name / "bytes").exists()
    assert later.begin(ONE, 3, LABELS, lambda answer: answer == STORED).name == upload.name
    assert later.begin(ONE, 3, LABELS).name != upload.name
    with pytest.raises(WrongOffset):
        later.append(found, 3, BytesIO(b""))


def test_bytes_beside_an_answer_go_at_the_next_start(uploads: Uploads, clock: FakeClock) -> None:
    upload = uploads.begin(ONE, 3, LABELS)
    with uploads.writing(upload):
        uploads.finish(upload, STORED)
    (uploads._directory / upload.name / "bytes").write_bytes(b"abc")
    again(uploads, clock)
    assert not (uploads._directory / upload.name / "bytes").exists()


def test_a_refused_one_is_begun_anew(uploads: Uploads) -> None:
    upload = uploads.begin(ONE, 3, LABELS)
    with uploads.writing(upload):
        uploads.finish(upload, FAILED)
    assert uploads.begin(ONE, 3, LABELS, lambda _: True) is not upload
    assert uploads.find(ONE, upload.name).answer == FAILED


def test_announced_bytes_count_against_the_quota_until_the_end(uploads: Uploads) -> None:
    first, *_ = [uploads.begin(Owner(f"site-{number}", "one"), 3_000, LABELS) for number in range(3)]
    with pytest.raises(DiskFull):
        uploads.begin(OTHER, 3_000, LABELS)
    assert uploads.begin(OTHER, 1_000, LABELS).facts.length == 1_000
    with uploads.writing(first):
        uploads.finish(first, FAILED)
    assert uploads.begin(ONE, 3_000, LABELS).offset == 0


def test_a_site_has_half_of_the_quota_but_one_upload_in_any_case(uploads: Uploads) -> None:
    uploads.begin(ONE, 6_000, LABELS)
    with pytest.raises(DiskFull):
        uploads.begin(ONE, 1, {**LABELS, "sop_uid": "1.2.4"})
    assert uploads.begin(OTHER, 2_000, LABELS).offset == 0
    assert uploads.begin(OTHER, 2_000, {**LABELS, "sop_uid": "1.2.4"}).offset == 0


def test_a_site_has_a_bounded_number(uploads: Uploads) -> None:
    for number in range(MOST_OF_ONE_SITE):
        uploads.begin(ONE, 1, {**LABELS, "sop_uid": f"1.{number}"})
    with pytest.raises(DiskFull):
        uploads.begin(ONE, 1, LABELS)
    assert uploads.begin(OTHER, 1, LABELS).offset == 0


def test_what_is_larger_than_an_object_may_be_is_refused(uploads: Uploads) -> None:
    for length in (10_001, 4_001 + (1 << 20)):
        with pytest.raises(TooLarge):
            uploads.begin(ONE, length, LABELS)


def test_the_reserve_is_kept_with_what_others_will_still_send(uploads: Uploads, reserve: Room) -> None:
    reserve.free_bytes = 5_000
    upload = uploads.begin(ONE, 3_000, LABELS)
    with pytest.raises(DiskFull):
        uploads.begin(OTHER, 1_000, LABELS)
    reserve.free_bytes = 1_000
    with uploads.writing(upload), pytest.raises(DiskFull):
        uploads.append(upload, 0, BytesIO(b"x"))
    assert upload.offset == 0


def test_what_nobody_touches_is_given_up_and_what_is_written_to_stays(uploads: Uploads, clock: FakeClock) -> None:
    old, busy = uploads.begin(ONE, 100, LABELS), uploads.begin(OTHER, 100, LABELS)
    clock.advance(2.1 * SECONDS_OF_A_DAY)
    with uploads.writing(busy):
        assert uploads.sweep() == 1
        assert uploads.append(busy, 0, BytesIO(b"x")) == 1
    assert uploads.sweep() == 0
    with pytest.raises(NotFound):
        uploads.find(ONE, old.name)
    with pytest.raises(NotFound), uploads.writing(old):
        pass
    assert [path.name for path in uploads._directory.iterdir()] == [busy.name]


def test_a_start_removes_what_is_too_old_half_made_or_no_upload(uploads: Uploads, clock: FakeClock) -> None:
    uploads.begin(ONE, 100, LABELS)
    half = uploads._directory / ("a" * 32)
    half.mkdir()
    (half / "bytes").write_bytes(b"x")
    torn = uploads._directory / ("b" * 32)
    torn.mkdir()
    (torn / "facts.json").write_text('{"owner"')
    (uploads._directory / "stray").mkdir()
    (uploads._directory / "file").touch()
    clock.advance(2.1 * SECONDS_OF_A_DAY)
    assert again(uploads, clock).count().unfinished == 0
    assert [path.name for path in uploads._directory.iterdir()] == ["file"]


def test_what_cannot_be_read_at_the_start_is_not_removed(
    uploads: Uploads, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = uploads.begin(ONE, 100, LABELS).name

    def fail(_: Path) -> bytes:
        raise OSError(5, "EIO")

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(ArchiveFailed):
        again(uploads, clock)
    monkeypatch.undo()
    assert again(uploads, clock).find(ONE, name).offset == 0


class Machine(RuleBasedStateMachine):
    """Begin, append, break off, restart, finish, in any order: the model is a dictionary of byte strings."""

    names = Bundle("names")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = FakeClock()
        self.content: dict[str, bytes] = {}
        self.answers: dict[str, Answer] = {}
        self.restart()

    @rule()
    def restart(self) -> None:
        limits = UploadLimits(quota_bytes=500, object_bytes=200, days=2)
        self.uploads = Uploads(self.folder, limits, Room(self.folder, 0), self.clock)

    @rule(target=names, length=st.integers(1, 200), sop=st.integers(1, 4), owner=st.sampled_from([ONE, OTHER]))
    def begin(self, length: int, sop: int, owner: Owner) -> tuple[Owner, str]:
        labels = {**LABELS, "sop_uid": f"1.{sop}"}
        open_bytes = sum(map(self._length, self._open()))
        try:
            upload = self.uploads.begin(owner, length, labels)
        except DiskFull:
            own = [self._length(name) for name in self._open() if self.uploads._known[name].facts.owner == owner]
            assert open_bytes + length > 500 or (own and sum(own) + length > 250)
            return owner, ""
        self.content.setdefault(upload.name, b"")
        assert upload.offset == len(self.content[upload.name])
        return owner, upload.name

    @rule(one=names, data=st.binary(max_size=80), wrong=st.sampled_from([0, 0, 0, 1]), breaks=st.booleans())
    def append(self, one: tuple[Owner, str], data: bytes, wrong: int, breaks: bool) -> None:
        upload = self._find(one)
        if upload is None:
            return
        known = self.content[upload.name]
        try:
            with self.uploads.writing(upload):
                self.uploads.append(upload, len(known) + wrong, (Broken if breaks else BytesIO)(data))
        except WrongOffset:
            assert wrong or upload.name in self.answers
            return
        except ConnectionResetError:
            assert breaks
        assert not wrong
        self.content[upload.name] = (known + data)[: upload.facts.length]

    @rule(one=names, data=st.binary(min_size=1, max_size=20))
    def die_before_the_mark(self, one: tuple[Owner, str], data: bytes) -> None:
        upload = self._find(one)
        if upload is not None and upload.answer is None:
            with (self.folder / upload.name / "bytes").open("ab") as file:
                file.write(data)
            self.restart()

    @rule(one=names, answer=st.sampled_from([STORED, FAILED]))
    def finish(self, one: tuple[Owner, str], answer: Answer) -> None:
        upload = self._find(one)
        if upload is not None and upload.complete and upload.answer is None:
            with self.uploads.writing(upload):
                self.uploads.finish(upload, answer)
            self.answers[upload.name] = answer

    @rule(one=names)
    def nobody_else_sees_it(self, one: tuple[Owner, str]) -> None:
        with pytest.raises(NotFound):
            self.uploads.find(OTHER if one[0] == ONE else ONE, one[1])

    @rule(days=st.sampled_from([0.5, 3.0]))
    def time_passes(self, days: float) -> None:
        self.clock.advance(days * SECONDS_OF_A_DAY)
        self.uploads.sweep()
        kept = {upload.name for upload in self.uploads._all()}
        assert days < 2 or not kept
        self.content = {name: data for name, data in self.content.items() if name in kept}
        self.answers = {name: answer for name, answer in self.answers.items() if name in kept}

    @invariant()
    def what_was_acknowledged_is_there(self) -> None:
        for name, data in self.content.items():
            upload = self.uploads._known[name]
            assert upload.answer == self.answers.get(name)
            if upload.answer is None:
                assert upload.offset == len(data)
                with upload.open() as file:
                    assert file.read(upload.offset) == data

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def _find(self, one: tuple[Owner, str]) -> Upload | None:
        return self.uploads.find(*one) if one[1] in self.content else None

    def _open(self) -> list[str]:
        return [name for name in self.content if name not in self.answers]

    def _length(self, name: str) -> int:
        return self.uploads._known[name].facts.length


TestUploadsInAnyOrder = Machine.TestCase
TestUploadsInAnyOrder.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
