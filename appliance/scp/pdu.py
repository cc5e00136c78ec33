"""Upper layer PDUs that this door reads or writes itself (PS3.8 section 9.3)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEADER = struct.Struct(">BxL")
ASSOCIATE_FIXED_LENGTH = 68

# 128 contexts of some 50 transfer syntaxes each fit; more than that is no modality.
MAX_ASSOCIATE_RQ = 256 * 1024


class PduType:
    """The first byte of a PDU."""

    ASSOCIATE_RQ = 0x01
    ASSOCIATE_AC = 0x02
    ASSOCIATE_RJ = 0x03
    P_DATA = 0x04
    RELEASE_RQ = 0x05
    RELEASE_RP = 0x06
    ABORT = 0x07


class ProviderReason:
    """Reason of an A-ABORT whose source is the service provider (PS3.8 table 9-26)."""

    NOT_SPECIFIED = 0x00
    UNRECOGNISED_PDU = 0x01
    UNEXPECTED_PDU = 0x02
    UNEXPECTED_PARAMETER = 0x05
    INVALID_PARAMETER = 0x06


class ProtocolError(Exception):
    """The peer broke the protocol: the association is aborted with `reason`.

    The message names no content of the peer's, so it may be logged.
    """

    def __init__(self, message: str, reason: int = ProviderReason.INVALID_PARAMETER) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Rejection:
    """The three codes of an A-ASSOCIATE-RJ (PS3.8 table 9-21)."""

    result: int
    source: int
    reason: int

    def encode(self) -> bytes:
        """The ten bytes of the A-ASSOCIATE-RJ PDU."""
        return struct.pack(">BxLxBBB", PduType.ASSOCIATE_RJ, 4, self.result, self.source, self.reason)


CALLING_NOT_RECOGNISED = Rejection(1, 1, 3)
CALLED_NOT_RECOGNISED = Rejection(1, 1, 7)
TEMPORARY_CONGESTION = Rejection(2, 3, 1)


def encode_abort(reason: int, *, by_user: bool = False) -> bytes:
    """The ten bytes of an A-ABORT PDU; `reason` means something only when the provider aborts."""
    return struct.pack(">BxLxxBB", PduType.ABORT, 4, 0 if by_user else 2, 0 if by_user else reason)


@dataclass(frozen=True, slots=True)
class Titles:
    """Who calls whom, from the fixed part of an A-ASSOCIATE-RQ. Printable ASCII, spaces stripped."""

    calling: str
    called: str


def read_titles(request: bytes | bytearray) -> Titles:
    """The AE titles of a whole A-ASSOCIATE-RQ PDU.

    Raises ProtocolError when the PDU is too short to hold them.
    """
    if len(request) < HEADER.size + ASSOCIATE_FIXED_LENGTH:
        raise ProtocolError("A-ASSOCIATE-RQ shorter than its fixed part")
    return Titles(calling=_title(request[26:42]), called=_title(request[10:26]))


def _title(raw: bytes | bytearray) -> str:
    text = raw.decode("latin-1").strip(" \0")
    return "".join(c if 0x20 <= ord(c) < 0x7F else "?" for c in text)
