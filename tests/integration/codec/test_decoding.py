"""Decoded frames are those that another decoder gives, for every kind of object at hand."""

from __future__ import annotations

import logging
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.pixels.utils import pixel_array

from appliance.codec.faults import CodecFault, Kind
from appliance.codec.frame import ImageFacts
from appliance.codec.limits import Limits
from appliance.codec.plugins import decode as with_plugin
from appliance.codec.pool import Pool
from appliance.codec.source import Source
from tests.builders.instances import ct, encode, part10_of
from tests.builders.sources import source_of, written

FILES = (
    "CT_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "liver.dcm",
    "liver_expb.dcm", "SC_rgb_small_odd.dcm", "SC_rgb_small_odd_big_endian.dcm", "SC_rgb_rle_16bit_2frame.dcm",
    "SC_rgb_expb_16bit_2frame.dcm", "SC_rgb_32bit_2frame.dcm", "OBXXXX1A_rle_2frame.dcm", "OBXXXX1A_expb_2frame.dcm",
    "rtdose.dcm", "rtdose_expb.dcm", "rtdose_rle.dcm", "emri_small_RLE.dcm", "emri_small_jpeg_ls_lossless.dcm",
    "emri_small_jpeg_2k_lossless.dcm", "JPEG-LL.dcm", "JPEG2000.dcm", "US1_J2KI.dcm", "J2K_pixelrep_mismatch.dcm",
    "JPEGLSNearLossless_16.dcm", "SC_rgb_jls_lossy_line.dcm", "SC_rgb_jpeg_gdcm.dcm", "color-pl.dcm",
    "SC_rgb_jpeg_dcmtk.dcm", "SC_jpeg_no_color_transform.dcm", "SC_ybr_full_422_uncompressed.dcm",
)  # fmt: skip

# Transfer syntax -> plugins that must agree on the file.
PAIRS = (
    ("MR_small_jp2klossless.dcm", ("pylibjpeg", "gdcm", "pillow")),
    ("US1_J2KR.dcm", ("pylibjpeg", "gdcm", "pillow")),
    ("J2K_pixelrep_mismatch.dcm", ("pylibjpeg", "gdcm", "pillow")),
    ("MR_small_jpeg_ls_lossless.dcm", ("pyjpegls", "gdcm")),
    ("JPEGLSNearLossless_16.dcm", ("pyjpegls", "gdcm")),
    ("MR_small_RLE.dcm", ("pylibjpeg", "pydicom")),
    ("SC_rgb_rle_16bit.dcm", ("pylibjpeg", "pydicom")),
    ("SC_jpeg_no_color_transform.dcm", ("pillow", "gdcm")),
)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    pool = Pool(Limits(deadline_seconds=60.0))
    yield pool
    pool.close()


def found(name: str) -> Path:
    path = get_testdata_file(name)
    if not isinstance(path, str):
        pytest.skip(f"pydicom-data has no {name}")
    return Path(path)


def pixels_of(data: bytes, facts: dict[str, Any]) -> np.ndarray:
    """The frame that facts describe."""
    shape = (facts["rows"], facts["columns"])
    if facts["bits_allocated"] == 1:
        return np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[: shape[0] * shape[1]].reshape(shape)
    kind = "ui"[facts["pixel_representation"]]
    samples = facts["samples_per_pixel"]
    return np.frombuffer(data, f"<{kind}{facts['bits_allocated'] // 8}").reshape(
        shape if samples == 1 else (*shape, samples)
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FILES)
def test_frames_are_what_pydicom_reads(pool: Pool, name: str) -> None:
    path = found(name)
    dataset = pydicom.dcmread(path)
    expected = pixel_array(dataset, raw=True)
    frames = int(dataset.get("NumberOfFrames") or 1)
    for number in range(1, frames + 1):
        outcome = pool.run("native", source_of(path), {"frame": number})
        whole = expected if frames == 1 else expected[number - 1]
        np.testing.assert_array_equal(pixels_of(outcome.data, dict(outcome.facts)), whole)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "plugins"), PAIRS)
def test_the_decoders_of_a_syntax_agree(name: str, plugins: tuple[str, ...]) -> None:
    path = found(name)
    dataset = pydicom.dcmread(path)
    facts = ImageFacts(
        dataset.Rows, dataset.Columns, dataset.SamplesPerPixel, dataset.BitsAllocated, dataset.BitsStored,
        dataset.HighBit, dataset.PixelRepresentation, dataset.PhotometricInterpretation,
        int(dataset.get("PlanarConfiguration") or 0), 1,
    )  # fmt: skip
    encoded = next(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=1))
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    frames = [with_plugin(encoded, facts, plugin, syntax).pixels.astype(int) for plugin in plugins]
    for plugin, frame in zip(plugins[1:], frames[1:], strict=True):
        assert np.abs(frame - frames[0]).max() <= ("jpeg_no" in name), f"{plugins[0]} and {plugin} differ"


@pytest.mark.parametrize("name", ["JPEG-lossy.dcm", "JPGExtended.dcm"])
def test_jpeg_of_twelve_bits_is_what_dcmtk_decodes(pool: Pool, tmp_path: Path, name: str) -> None:
    path = found(name)
    subprocess.run(["dcmdjpeg", path, tmp_path / "plain.dcm"], check=True, capture_output=True, timeout=60)
    expected = pydicom.dcmread(tmp_path / "plain.dcm").PixelData
    assert pool.run("native", source_of(path), {"frame": 1}).data == expected


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FILES)
def test_a_transcoded_object_has_the_same_pixels_and_attributes(pool: Pool, tmp_path: Path, name: str) -> None:
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    path = found(name)
    before = pydicom.dcmread(path)
    outcome = pool.run("transcode", source_of(path), {"syntax": "1.2.840.10008.1.2.1"})
    (tmp_path / "after.dcm").write_bytes(outcome.data)
    after = pydicom.dcmread(tmp_path / "after.dcm")
    assert after.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert after.SOPInstanceUID == before.SOPInstanceUID
    np.testing.assert_array_equal(pixel_array(after, raw=True), pixel_array(before, raw=True))
    assert str(after.get("PatientName")) == str(before.get("PatientName"))


def fault_of(pool: Pool, source: Source, frame: Any = 1) -> CodecFault:
    with pytest.raises(CodecFault) as fault:
        pool.run("native", source, {"frame": frame})
    return fault.value


@pytest.mark.parametrize("frame", [0, -1, 2, 10**9, "1", None])
def test_a_frame_that_is_not_there_is_absent(pool: Pool, tmp_path: Path, frame: Any) -> None:
    assert fault_of(pool, written(tmp_path, ct()), frame).kind is Kind.ABSENT


def test_an_object_without_pixels_has_no_frame(pool: Pool, tmp_path: Path) -> None:
    assert fault_of(pool, written(tmp_path, ct(PixelData=None))).kind is Kind.ABSENT


@pytest.mark.parametrize(
    "overrides",
    [{"PixelData": b"\0" * 100}, {"Rows": 0}, {"BitsAllocated": 7}, {"Rows": 4000}],
)
def test_pixels_that_cannot_be_are_refused(pool: Pool, tmp_path: Path, overrides: dict[str, Any]) -> None:
    assert fault_of(pool, written(tmp_path, ct(**overrides))).kind is Kind.REFUSED


def test_a_syntax_without_a_decoder_is_refused(pool: Pool, tmp_path: Path) -> None:
    dataset = ct()
    dataset.PixelData = encapsulate([b"no such thing"])
    dataset["PixelData"].is_undefined_length = True
    fault = fault_of(pool, written(tmp_path, dataset, "1.2.840.10008.1.2.4.110"))
    assert fault.kind is Kind.REFUSED
    assert "transfer syntax" in fault.message


def test_what_every_decoder_refuses_names_them(pool: Pool, tmp_path: Path) -> None:
    dataset = ct()
    dataset.PixelData = encapsulate([b"\xff\x4f\xff\x51 no codestream"])
    dataset["PixelData"].is_undefined_length = True
    fault = fault_of(pool, written(tmp_path, dataset, "1.2.840.10008.1.2.4.90"))
    assert fault.kind is Kind.REFUSED
    assert "pylibjpeg, gdcm, pillow" in fault.message


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1"])
def test_frames_encapsulated_plain_or_deflated(pool: Pool, tmp_path: Path, syntax: str) -> None:
    frames = [bytes([n]) * 512 for n in range(3)]
    deflater = [zlib.compressobj(wbits=-15) for _ in frames]
    packed = [d.compress(f) + d.flush() for d, f in zip(deflater, frames, strict=True)]
    dataset = ct(NumberOfFrames=3)
    dataset.PixelData = encapsulate(frames if syntax.endswith("98") else packed)
    dataset["PixelData"].is_undefined_length = True
    source = written(tmp_path, dataset, syntax)
    assert [pool.run("native", source, {"frame": n}).data for n in (3, 1, 2)] == [frames[2], frames[0], frames[1]]


def test_a_lying_offset_table_is_not_believed(pool: Pool, tmp_path: Path) -> None:
    source_file = pydicom.dcmread(found("emri_small_jpeg_ls_lossless.dcm"))
    frames = list(pydicom.encaps.generate_frames(source_file.PixelData, number_of_frames=10))
    honest = pool.run("native", source_of(found("emri_small_jpeg_ls_lossless.dcm")), {"frame": 7}).data
    data, offsets, lengths = encapsulate_extended(frames)
    source_file.PixelData = data
    source_file.ExtendedOffsetTable = b"\xff" * len(offsets)
    source_file.ExtendedOffsetTableLengths = lengths
    source_file["PixelData"].is_undefined_length = True
    source_file.save_as(tmp_path / "lying.dcm")
    assert pool.run("native", source_of(tmp_path / "lying.dcm"), {"frame": 7}).data == honest


def test_one_bit_frames_that_start_within_a_byte(pool: Pool, tmp_path: Path) -> None:
    loose = np.random.default_rng(1).integers(0, 2, (3, 5, 5), np.uint8)
    packed = np.packbits(loose.reshape(-1), bitorder="little").tobytes()
    dataset = ct(Rows=5, Columns=5, NumberOfFrames=3, BitsAllocated=1, BitsStored=1, HighBit=0)
    dataset.PixelData = packed + b"\0" * (len(packed) % 2)
    source = written(tmp_path, dataset)
    for number in (1, 2, 3):
        outcome = pool.run("native", source, {"frame": number})
        np.testing.assert_array_equal(pixels_of(outcome.data, dict(outcome.facts)), loose[number - 1])


def test_a_frame_beyond_four_gigabytes_is_read_alone(pool: Pool, tmp_path: Path) -> None:
    """A sparse file of 5 GB: only the frame that is asked for is touched."""
    dataset = ct(Rows=1024, Columns=1024, NumberOfFrames=2500, PixelData=b"")
    # The pixel data's own length has 32 bits, so its header is written by hand.
    head = encode(dataset)[:-4] + b"\xfe\xff\xff\xff"
    start = part10_of(head, "1.2.840.10008.1.2.1", sop_class_uid="1.2.3", sop_uid="1.2.4")
    path = tmp_path / "huge.dcm"
    frame_bytes = 2 << 20
    with path.open("wb") as file:
        file.write(start)
        file.seek(len(start) + 2000 * frame_bytes)
        file.write(b"\x07\x00" * (frame_bytes // 2))
        file.truncate(len(start) + 0xFFFFFFFE)
    source = Source(path, len(start) - len(head), path.stat().st_size - len(start) + len(head), "1.2.840.10008.1.2.1")
    assert pool.run("native", source, {"frame": 2001}).data == b"\x07\x00" * (frame_bytes // 2)
    assert fault_of(pool, source, 2400).kind is Kind.REFUSED
