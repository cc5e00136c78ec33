"""Pictures drawn by the codec's children against dcmtk's, within one grey level."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom import Sequence as Items
from pydicom.data import get_testdata_file
from pydicom.pixels.processing import convert_color_space
from pydicom.pixels.utils import pixel_array

from appliance.codec.pool import Limits, Pool
from appliance.codec.source import Source
from tests.builders.images import colour, colours, grey, lut, overlaid, palette, ramp
from tests.builders.instances import part10
from tests.partners.dcm2pnm import rendering

Picture = NDArray[np.uint8]
RISE = list(range(256))
CURVE = [min(4095, n * n // 4) for n in range(256)]
ONE_LEVEL = 1


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """One child is enough."""
    pool = Pool(Limits(workers=1))
    yield pool
    pool.close()


def source_of(path: Path) -> Source:
    """Return where the data set of a PS3.10 file stands."""
    with path.open("rb") as file:
        meta = pydicom.filereader.read_file_meta_info(str(path))
        file.seek(132)
        offset = 132 + 12 + int(meta.FileMetaInformationGroupLength)
    return Source(path, offset, path.stat().st_size - offset, str(meta.TransferSyntaxUID))


def picture_of(pool: Pool, path: Path, **arguments: Any) -> Picture:
    outcome = pool.run("render", source_of(path), {"media_type": "image/png", **arguments})
    return np.asarray(Image.open(BytesIO(outcome.data)))


def difference(ours: Picture, theirs: Picture) -> int:
    if theirs.ndim < ours.ndim:
        theirs = np.stack([theirs] * 3, axis=-1)
    assert ours.shape == theirs.shape
    return int(np.abs(ours.astype(int) - theirs).max())


def with_table(dataset: Dataset, keyword: str, table: Dataset) -> Dataset:
    setattr(dataset, keyword, Items([table]))
    return dataset


def cross(rows: int = 32, columns: int = 64) -> NDArray[np.bool_]:
    mask = np.zeros((rows, columns), np.bool_)
    mask[rows // 2], mask[:, columns // 3] = True, True
    return mask


def embedded() -> Dataset:
    """A 12-bit image with an overlay in bit 15 of its pixels."""
    pixels = ramp(0, 4095)
    dataset = grey(pixels, stored=12, WindowCenter=2048, WindowWidth=4096)
    dataset.PixelData = (pixels | cross().astype(np.int64) << 15).astype("<u2").tobytes()
    for element, vr, value in ((0x10, "US", 32), (0x11, "US", 64), (0x40, "CS", "G"), (0x50, "SS", [1, 1]),
                               (0x100, "US", 16), (0x102, "US", 15)):  # fmt: skip
        dataset.add_new((0x6000, element), vr, value)
    return dataset


CASES: dict[str, tuple[Callable[[], Dataset], tuple[str, ...], dict[str, Any]]] = {
    "8 bits as they are": (lambda: grey(ramp(0, 255), bits=8), (), {}),
    "16 bits unsigned, window of the object": (
        lambda: grey(ramp(0, 65535), WindowCenter=20000, WindowWidth=30000), ("+Wi", "1"), {}),
    "16 bits signed, smallest to largest": (lambda: grey(ramp(-3000, 20000), signed=True), ("+Wm",), {}),
    "12 bits of 16, signed": (
        lambda: grey(ramp(-2048, 2047), stored=12, signed=True, WindowCenter=0, WindowWidth=1000), ("+Wi", "1"), {}),
    "32 bits": (lambda: grey(ramp(0, 2**31 - 1), bits=32), ("+Wm",), {}),
    "rescaled, window of the object": (
        lambda: grey(ramp(0, 4095), stored=12, RescaleSlope=1.5, RescaleIntercept=-1024, WindowCenter=40,
                     WindowWidth=400), ("+Wi", "1"), {}),
    "rescaled, window asked for": (
        lambda: grey(ramp(0, 4095), stored=12, RescaleSlope=1, RescaleIntercept=-1024), ("+Ww", "-600", "1500"),
        {"window": [-600, 1500, "LINEAR"]}),
    "sigmoid": (
        lambda: grey(ramp(0, 4095), stored=12), ("+Ww", "2000", "1000", "+Wfs"), {"window": [2000, 1000, "SIGMOID"]}),
    "negative slope": (
        lambda: grey(ramp(0, 4095), stored=12, RescaleSlope=-1, RescaleIntercept=4095), ("+Wm",), {}),
    "MONOCHROME1": (
        lambda: grey(ramp(0, 4095), stored=12, PhotometricInterpretation="MONOCHROME1", WindowCenter=2000,
                     WindowWidth=3000), ("+Wi", "1"), {}),
    "MONOCHROME1, smallest to largest": (
        lambda: grey(ramp(10, 3000), stored=12, PhotometricInterpretation="MONOCHROME1"), ("+Wm",), {}),
    "modality LUT": (
        lambda: with_table(grey(ramp(0, 255), WindowCenter=2048, WindowWidth=4096), "ModalityLUTSequence",
                           lut(CURVE, bits=12)), ("+Wi", "1"), {}),
    "modality LUT that begins below zero": (
        lambda: with_table(grey(ramp(-128, 127), signed=True), "ModalityLUTSequence", lut(CURVE, -128, 12)),
        ("+Wm",), {}),
    "VOI LUT": (
        lambda: with_table(grey(ramp(0, 255), bits=8), "VOILUTSequence", lut(CURVE, bits=12)), ("+Wl", "1"), {}),
    "VOI LUT in words, after a rescale": (
        lambda: with_table(grey(ramp(0, 4095), stored=12, RescaleSlope=1, RescaleIntercept=-1000), "VOILUTSequence",
                           lut(RISE, -100, 8, words=True)), ("+Wl", "1"), {}),
    "VOI LUT of a MONOCHROME1": (
        lambda: with_table(grey(ramp(0, 255), bits=8, PhotometricInterpretation="MONOCHROME1"), "VOILUTSequence",
                           lut(CURVE, bits=12)), ("+Wl", "1"), {}),
    "palette": (
        lambda: palette(ramp(0, 255), [[n * 257 for n in RISE], [65535 - n * 257 for n in RISE],
                                       [n * 128 for n in RISE]]), (), {}),
    "palette shorter than its indices": (
        lambda: palette(ramp(0, 255), [[n * 600 for n in range(100)]] * 3, first=20), (), {}),
    "RGB": (lambda: colour(colours()), (), {}),
    "RGB by plane": (lambda: colour(colours(), planar=1), (), {}),
    "RGB of 16 bits": (lambda: colour(colours().astype(np.uint16) * 257, bits=16), (), {}),
    "overlay": (lambda: overlaid(grey(ramp(0, 255), bits=8), cross()), (), {}),
    "overlay beside the origin": (
        lambda: overlaid(grey(ramp(0, 255), bits=8), cross(12, 12), origin=(5, 40)), (), {}),
    "overlay in unused bits": (embedded, ("+Wi", "1"), {}),
    "the second frame": (
        lambda: grey(np.stack([ramp(0, 4095), ramp(4095, 0)]), stored=12), ("+Wm",), {"frame": 2}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_drawing_equals_dcmtks(pool: Pool, tmp_path: Path, name: str) -> None:
    build, options, arguments = CASES[name]
    path = tmp_path / "image.dcm"
    path.write_bytes(part10(build()))
    theirs = rendering(path, tmp_path, *options, frame=arguments.get("frame", 1))
    assert theirs is not None
    assert difference(picture_of(pool, path, **arguments), theirs) <= ONE_LEVEL


# What dcmtk itself cannot show is compared with the file that holds the same pixels uncompressed.
FILES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("CT_small.dcm", ("+Wm",)), ("MR_small.dcm", ("+Wi", "1")), ("MR_small_RLE.dcm", ("+Wi", "1")),
    ("MR_small_bigendian.dcm", ("+Wi", "1")), ("693_UNCI.dcm", ("+Wi", "1")), ("JPEG-LL.dcm", ("+Wm",)),
    ("MR-SIEMENS-DICOM-WithOverlays.dcm", ("+Wi", "1")), ("RG1_UNCI.dcm", ("+Wi", "1")),
    ("RG3_UNCI.dcm", ("+Wi", "1")), ("OBXXXX1A.dcm", ()), ("OBXXXX1A_expb.dcm", ()), ("OBXXXX1A_rle.dcm", ()),
    ("SC_rgb.dcm", ()), ("SC_rgb_16bit.dcm", ()), ("SC_rgb_rle_32bit.dcm", ()), ("SC_rgb_expb_16bit.dcm", ()),
    ("SC_ybr_full_422_uncompressed.dcm", ()),
    ("SC_rgb_dcmtk_+eb+cy+np.dcm", ()), ("SC_rgb_dcmtk_+eb+cr.dcm", ()), ("SC_jpeg_no_color_transform.dcm", ()),
    ("examples_ybr_color.dcm", ()), ("mlut_18.dcm", ("+Wm",)), ("vlut_04.dcm", ("+Wl", "1")), ("rtdose.dcm", ("+Wm",)),
    ("image_dfl.dcm", ()), ("emri_small_RLE.dcm", ("+Wm",)), ("JPGLosslessP14SV1_1s_1f_8b.dcm", ("+Wi", "1")),
)  # fmt: skip


@pytest.mark.parametrize(("name", "options"), FILES)
def test_a_file_of_the_world_is_drawn_as_dcmtk_draws_it(
    pool: Pool, tmp_path: Path, name: str, options: tuple[str, ...]
) -> None:
    path = Path(str(get_testdata_file(name)))
    theirs = rendering(path, tmp_path, *options)
    assert theirs is not None
    assert difference(picture_of(pool, path), theirs) <= ONE_LEVEL


PAIRS = (
    ("MR2_J2KR.dcm", "MR2_UNCR.dcm"), ("693_J2KR.dcm", "693_UNCR.dcm"), ("RG1_J2KR.dcm", "RG1_UNCR.dcm"),
    ("US1_J2KR.dcm", "US1_UNCR.dcm"), ("MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm"),
    ("emri_small_jpeg_2k_lossless.dcm", "emri_small.dcm"), ("emri_small_big_endian.dcm", "emri_small.dcm"),
    ("rtdose_expb.dcm", "rtdose.dcm"), ("liver_expb.dcm", "liver.dcm"),
    ("gdcm-US-ALOKA-16_big.dcm", "gdcm-US-ALOKA-16.dcm"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "other"), PAIRS)
def test_the_same_pixels_are_drawn_alike_however_they_are_encoded(pool: Pool, name: str, other: str) -> None:
    ours = picture_of(pool, Path(str(get_testdata_file(name))))
    assert difference(ours, picture_of(pool, Path(str(get_testdata_file(other))))) == 0
    assert ours.min() < ours.max()


def test_full_range_chroma_is_drawn_by_the_standard(pool: Pool) -> None:
    # dcmtk takes chroma around 127.5 and may be two levels off; PS3.3 C.7.6.3.1.2 says 128.
    path = Path(str(get_testdata_file("SC_ybr_full_uncompressed.dcm")))
    stored = pixel_array(path, raw=True)
    expected = convert_color_space(stored, "YBR_FULL", "RGB")
    assert difference(picture_of(pool, path), expected) <= ONE_LEVEL
