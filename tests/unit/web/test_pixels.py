"""Frame tables: looked up once for each content, and bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.archive.reading import StoredInstance
from appliance.dicomweb.frames import NativeFrames
from appliance.web.pixels import FrameTables, shifted
from tests.builders.instances import ct, encode


def instance(folder: Path, version_id: int) -> StoredInstance:
    data = encode(ct())
    path = folder / f"{version_id}.dcm"
    path.write_bytes(data)
    return StoredInstance(
        version_id, "1.2", "1.3", f"1.4.{version_id}", "1.5", "1.2.840.10008.1.2.1", "d", path, 0, len(data),
        len(data), "", True,
    )  # fmt: skip


def test_a_known_instance_is_not_opened_again(tmp_path: Path) -> None:
    tables, one = FrameTables(), instance(tmp_path, 1)
    first = tables.of(one)
    one.path.unlink()
    assert isinstance(first, NativeFrames)
    assert tables.of(one) is first


@pytest.mark.parametrize("bound", [{"most": 2}, {"entries": 2}])
def test_the_least_used_go_first(tmp_path: Path, bound: dict[str, int]) -> None:
    tables = FrameTables(**bound)
    one, two, three = (instance(tmp_path, number) for number in (1, 2, 3))
    kept = [tables.of(which) for which in (one, two, one, three)]
    assert tables.of(one) is kept[0]
    assert tables.of(two) is not kept[1]


@pytest.mark.parametrize("skipped", [0, 3, 8, 13, 39])
@pytest.mark.parametrize("bits", [1, 7, 8, 20, 41])
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_single_bits_are_cut_out_across_the_pieces_of_a_file(skipped: int, bits: int, size: int) -> None:
    data = bytes(range(17, 17 + (skipped + bits + 7) // 8))
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    wanted = (int.from_bytes(data, "little") >> skipped) & ((1 << bits) - 1)
    assert b"".join(shifted(pieces, skipped, bits)) == wanted.to_bytes((bits + 7) // 8, "little")
