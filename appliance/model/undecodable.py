"""Bytes that are no text in the set at hand: shown escaped, never lost."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

# After so many faults the rest is taken byte by byte: each fault costs a copy of what remains.
_MOST_FAULTS: Final = 64

# What senders announce -> the wider set they really use: the same text, and names the narrow one lacks.
_WIDER: Final = MappingProxyType({"gb2312": "gb18030", "euc-kr": "cp949", "shift_jis": "cp932"})


def escape(data: bytes) -> str:
    """Return bytes as U+FFFD followed by two hexadecimal digits each."""
    return "".join(f"\ufffd{byte:02X}" for byte in data)


def _byte_by_byte(data: bytes) -> str:
    return "".join(chr(byte) if byte < 0x80 else f"\ufffd{byte:02X}" for byte in data)


def decode_escaped(data: bytes, codec: str) -> tuple[str, bool]:
    """Decode with a Python codec; what it refuses is escaped. The flag says that nothing was refused."""
    for candidate in (codec, _WIDER.get(codec)):
        try:
            if candidate is not None:
                return data.decode(candidate), True
        except UnicodeDecodeError:
            continue
    return _with_escapes(data, codec), False


def _with_escapes(data: bytes, codec: str) -> str:
    parts: list[str] = []
    for _ in range(_MOST_FAULTS):
        try:
            return "".join((*parts, data.decode(codec)))
        except UnicodeDecodeError as error:
            parts += (data[: error.start].decode(codec), _refused(data[error.start : error.end]))
            data = data[error.end :]
    return "".join((*parts, _byte_by_byte(data)))


def _refused(data: bytes) -> str:
    """Escape what a codec refused, but leave ASCII in it readable: it may be a delimiter."""
    return escape(data[:1]) + _byte_by_byte(data[1:])
