"""Which decoders can read which transfer syntax, the first choice first: names only, nothing is loaded.

gdcm comes last wherever another can, because it was seen to hang; it stands alone for the JPEG processes that
nobody else reads. A syntax that is not in the table has no decoder here: video, JPEG XL, hierarchical JPEG.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

BASELINE: Final = "1.2.840.10008.1.2.4.50"
EXTENDED: Final = "1.2.840.10008.1.2.4.51"
LOSSLESS: Final = "1.2.840.10008.1.2.4.57"
JPEG_2000: Final = "1.2.840.10008.1.2.4.91"
PLUGIN: Final = "appliance.codec.plugins:decode"
# Of our own; what is not here is a plugin of pydicom's.
FUNCTIONS: Final[Mapping[str, str]] = MappingProxyType({
    "gdcm-jpeg": "appliance.codec.gdcm_jpeg:decode",
    "plain": "appliance.codec.decoders:plain",
    "zlib": "appliance.codec.decoders:inflated",
})  # fmt: skip


class Decoder(NamedTuple):
    """A name, the "module:function" that is loaded with its first image, and the transfer syntax it is told."""

    name: str
    function: str
    syntax: str


def _order(syntax: str, *names: str) -> tuple[Decoder, ...]:
    return tuple(Decoder(name, FUNCTIONS.get(name, PLUGIN), syntax) for name in names)


_JPEG: Final = "1.2.840.10008.1.2.4."
TABLE: Final[Mapping[str, tuple[Decoder, ...]]] = MappingProxyType({
    "1.2.840.10008.1.2.5": _order("1.2.840.10008.1.2.5", "pylibjpeg", "pydicom"),
    BASELINE: _order(BASELINE, "pillow", "gdcm"),
    EXTENDED: _order(EXTENDED, "pillow", "gdcm-jpeg"),
    LOSSLESS: _order(LOSSLESS, "gdcm"),
    f"{_JPEG}70": _order(f"{_JPEG}70", "gdcm"),
    f"{_JPEG}80": _order(f"{_JPEG}80", "pyjpegls", "gdcm"),
    f"{_JPEG}81": _order(f"{_JPEG}81", "pyjpegls", "gdcm"),
    f"{_JPEG}90": _order(f"{_JPEG}90", "pylibjpeg", "gdcm", "pillow"),
    JPEG_2000: _order(JPEG_2000, "pylibjpeg", "gdcm", "pillow"),
    # Part 2 streams that use nothing of Part 2 are plain JPEG 2000.
    f"{_JPEG}92": _order(JPEG_2000, "pylibjpeg", "gdcm"),
    f"{_JPEG}93": _order(JPEG_2000, "pylibjpeg", "gdcm"),
    f"{_JPEG}201": _order(f"{_JPEG}201", "pylibjpeg"),
    f"{_JPEG}202": _order(f"{_JPEG}202", "pylibjpeg"),
    f"{_JPEG}203": _order(f"{_JPEG}203", "pylibjpeg"),
    # Retired processes: the stream itself says which one it is, and these decoders look there.
    **{f"{_JPEG}{process}": _order(EXTENDED, "pillow", "gdcm-jpeg") for process in (52, 53, 54, 55, 56)},
    f"{_JPEG}58": _order(LOSSLESS, "gdcm"),
    "1.2.840.10008.1.2.1.98": _order("", "plain"),
    "1.2.840.10008.1.2.8.1": _order("", "zlib"),
})  # fmt: skip
