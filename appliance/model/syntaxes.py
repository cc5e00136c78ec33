"""Transfer syntaxes (PS3.5 chapter 10): how each one encodes a data set and whether we store it."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

IMPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """One transfer syntax.

    `storable` is False where the pixels do not travel inside the object (JPIP referenced, SMPTE
    ST 2110 streaming). `rank` orders preference: the lowest is offered and accepted first, every
    lossless one stands before every lossy one.
    """

    uid: str
    name: str
    encapsulated: bool = False
    big_endian: bool = False
    deflated: bool = False
    implicit: bool = False
    lossy: bool = False
    storable: bool = True
    rank: int = 0


# Flags: i implicit, b big endian, d deflated, e encapsulated, y lossy (or possibly so), n not storable.
# "Possibly lossy" syntaxes count as lossy: an SCP cannot know before the pixels are there.
# The order is the preference: uncompressed first because every reader shows it, then lossless.
_TABLE: Final = """
1.2.840.10008.1.2.1        -    Explicit VR Little Endian
1.2.840.10008.1.2          i    Implicit VR Little Endian
1.2.840.10008.1.2.4.70     e    JPEG Lossless, Non-Hierarchical, First-Order Prediction
1.2.840.10008.1.2.4.80     e    JPEG-LS Lossless
1.2.840.10008.1.2.4.90     e    JPEG 2000 Lossless Only
1.2.840.10008.1.2.4.201    e    High-Throughput JPEG 2000 Lossless Only
1.2.840.10008.1.2.4.202    e    High-Throughput JPEG 2000 with RPCL Options Lossless Only
1.2.840.10008.1.2.5        e    RLE Lossless
1.2.840.10008.1.2.4.57     e    JPEG Lossless, Non-Hierarchical (Process 14)
1.2.840.10008.1.2.1.98     e    Encapsulated Uncompressed Explicit VR Little Endian
1.2.840.10008.1.2.8.1      e    Deflated Image Frame Compression
1.2.840.10008.1.2.4.92     e    JPEG 2000 Part 2 Multi-component Lossless Only
1.2.840.10008.1.2.4.110    e    JPEG XL Lossless
1.2.840.10008.1.2.1.99     d    Deflated Explicit VR Little Endian
1.2.840.10008.1.2.2        b    Explicit VR Big Endian (retired)
1.2.840.10008.1.2.4.58     e    JPEG Lossless, Non-Hierarchical (Process 15, retired)
1.2.840.10008.1.2.4.65     e    JPEG Lossless, Hierarchical (Process 28, retired)
1.2.840.10008.1.2.4.66     e    JPEG Lossless, Hierarchical (Process 29, retired)
1.2.840.10008.1.2.4.91     ey   JPEG 2000
1.2.840.10008.1.2.4.203    ey   High-Throughput JPEG 2000
1.2.840.10008.1.2.4.81     ey   JPEG-LS Lossy (Near-Lossless)
1.2.840.10008.1.2.4.50     ey   JPEG Baseline (Process 1)
1.2.840.10008.1.2.4.51     ey   JPEG Extended (Process 2 and 4)
1.2.840.10008.1.2.4.93     ey   JPEG 2000 Part 2 Multi-component
1.2.840.10008.1.2.4.111    ey   JPEG XL JPEG Recompression
1.2.840.10008.1.2.4.112    ey   JPEG XL
1.2.840.10008.1.2.4.100    ey   MPEG2 Main Profile / Main Level
1.2.840.10008.1.2.4.100.1  ey   Fragmentable MPEG2 Main Profile / Main Level
1.2.840.10008.1.2.4.101    ey   MPEG2 Main Profile / High Level
1.2.840.10008.1.2.4.101.1  ey   Fragmentable MPEG2 Main Profile / High Level
1.2.840.10008.1.2.4.102    ey   MPEG-4 AVC/H.264 High Profile / Level 4.1
1.2.840.10008.1.2.4.102.1  ey   Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1
1.2.840.10008.1.2.4.103    ey   MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1
1.2.840.10008.1.2.4.103.1  ey   Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1
1.2.840.10008.1.2.4.104    ey   MPEG-4 AVC/H.264 High Profile / Level 4.2 for 2D Video
1.2.840.10008.1.2.4.104.1  ey   Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 for 2D Video
1.2.840.10008.1.2.4.105    ey   MPEG-4 AVC/H.264 High Profile / Level 4.2 for 3D Video
1.2.840.10008.1.2.4.105.1  ey   Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 for 3D Video
1.2.840.10008.1.2.4.106    ey   MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2
1.2.840.10008.1.2.4.106.1  ey   Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2
1.2.840.10008.1.2.4.107    ey   HEVC/H.265 Main Profile / Level 5.1
1.2.840.10008.1.2.4.108    ey   HEVC/H.265 Main 10 Profile / Level 5.1
1.2.840.10008.1.2.4.52     ey   JPEG Extended (Process 3 and 5, retired)
1.2.840.10008.1.2.4.53     ey   JPEG Spectral Selection, Non-Hierarchical (Process 6 and 8, retired)
1.2.840.10008.1.2.4.54     ey   JPEG Spectral Selection, Non-Hierarchical (Process 7 and 9, retired)
1.2.840.10008.1.2.4.55     ey   JPEG Full Progression, Non-Hierarchical (Process 10 and 12, retired)
1.2.840.10008.1.2.4.56     ey   JPEG Full Progression, Non-Hierarchical (Process 11 and 13, retired)
1.2.840.10008.1.2.4.59     ey   JPEG Extended, Hierarchical (Process 16 and 18, retired)
1.2.840.10008.1.2.4.60     ey   JPEG Extended, Hierarchical (Process 17 and 19, retired)
1.2.840.10008.1.2.4.61     ey   JPEG Spectral Selection, Hierarchical (Process 20 and 22, retired)
1.2.840.10008.1.2.4.62     ey   JPEG Spectral Selection, Hierarchical (Process 21 and 23, retired)
1.2.840.10008.1.2.4.63     ey   JPEG Full Progression, Hierarchical (Process 24 and 26, retired)
1.2.840.10008.1.2.4.64     ey   JPEG Full Progression, Hierarchical (Process 25 and 27, retired)
1.2.840.10008.1.2.4.94     n    JPIP Referenced
1.2.840.10008.1.2.4.95     nd   JPIP Referenced Deflate
1.2.840.10008.1.2.4.204    n    JPIP HTJ2K Referenced
1.2.840.10008.1.2.4.205    nd   JPIP HTJ2K Referenced Deflate
1.2.840.10008.1.2.7.1      n    SMPTE ST 2110-20 Uncompressed Progressive Active Video
1.2.840.10008.1.2.7.2      n    SMPTE ST 2110-20 Uncompressed Interlaced Active Video
1.2.840.10008.1.2.7.3      n    SMPTE ST 2110-30 PCM Digital Audio
"""


def _syntax(rank: int, line: str) -> TransferSyntax:
    uid, flags, name = line.split(None, 2)
    return TransferSyntax(
        uid, name, encapsulated="e" in flags, big_endian="b" in flags, deflated="d" in flags,
        implicit="i" in flags, lossy="y" in flags, storable="n" not in flags, rank=rank,
    )  # fmt: skip


TRANSFER_SYNTAXES: Final = tuple(_syntax(rank, line) for rank, line in enumerate(_TABLE.strip().split("\n"), start=1))

_BY_UID: Final = MappingProxyType({syntax.uid: syntax for syntax in TRANSFER_SYNTAXES})


def find_syntax(uid: str) -> TransferSyntax | None:
    """Return the transfer syntax with this UID, or None when the table does not know it."""
    return _BY_UID.get(uid)


def storable_syntaxes() -> tuple[TransferSyntax, ...]:
    """Return the transfer syntaxes an instance may be stored in, the preferred one first."""
    return tuple(syntax for syntax in TRANSFER_SYNTAXES if syntax.storable)
