"""Bodies from disk: exact lengths, the bytes themselves, and never a damaged file to its end."""

from __future__ import annotations

import hashlib
import tracemalloc
from io import BytesIO
from pathlib import Path

import pytest

from appliance.dicomweb.media_types import parse_media_type
from appliance.dicomweb.multipart import MultipartReader
from appliance.dicomweb.outgoing import BLOCK, Damaged, Instance, Message, Slice, check

HEAD = b"h" * 300


def made(path: Path, data: bytes) -> Instance:
    path.write_bytes(HEAD + data)
    return Instance(path, len(HEAD + data), len(HEAD), hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("sizes", [(), (0,), (1,), (BLOCK, BLOCK - 300, BLOCK + 1), (3 * BLOCK, 5)])
def test_a_message_is_as_long_as_it_says_and_holds_the_files(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    instances = [made(tmp_path / str(at), bytes([at]) * size) for at, size in enumerate(sizes)]
    message = Message(instances)
    body = b"".join(message)
    assert len(body) == len(message)
    assert b"".join(message) == body
    media_type = parse_media_type(message.content_type)
    assert media_type is not None
    assert media_type["type"] == "application/dicom"
    if instances:
        assert body.startswith(b"--")
        found = []
        for part in MultipartReader(BytesIO(body), media_type["boundary"]).parts():
            assert part.headers == {"content-type": "application/dicom"}
            found.append(b"".join(iter(part.read, b"")))
        assert found == [instance.path.read_bytes() for instance in instances]


@pytest.mark.parametrize("harm", ["last byte", "first byte", "shorter", "missing"])
def test_a_damaged_file_never_completes_a_message(tmp_path: Path, harm: str) -> None:
    good, bad = made(tmp_path / "good", b"g" * 10), made(tmp_path / "bad", b"b" * (BLOCK * 2 + 5))
    data = bytearray(bad.path.read_bytes())
    if harm == "missing":
        bad.path.unlink()
    else:
        data[len(HEAD) if harm == "first byte" else -1] ^= 1
        bad.path.write_bytes(data[:-7] if harm == "shorter" else data)
    message, sent = Message([good, bad]), 0
    with pytest.raises(Damaged) as caught:
        for block in message:
            sent += len(block)
    assert caught.value.index == 1
    assert caught.value.lost
    assert sent < len(message) - 5
    with pytest.raises(Damaged):
        check(bad)


def test_a_file_that_cannot_be_read_is_not_lost(tmp_path: Path) -> None:
    with pytest.raises(Damaged) as caught:
        check(Instance(tmp_path, 10, 0, ""))
    assert not caught.value.lost
    assert str(tmp_path) not in caught.value.message


def test_a_slice_is_that_part_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(200)) * 500)
    piece = Slice(path, 150, BLOCK + 7)
    assert b"".join(piece) == path.read_bytes()[150 : 150 + BLOCK + 7]
    assert len(piece) == BLOCK + 7
    assert b"".join(Slice(path, 10, 0)) == b""


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(64 << 20)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    tracemalloc.start()
    try:
        for _ in Message([Instance(path, 64 << 20, 0, digest)]):
            pass
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
