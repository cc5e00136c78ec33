"""Code extensions (PS3.5 6.1.2.5): text that changes its character set by escape sequences."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

from appliance.model.undecodable import decode_escaped, escape

# Escape sequence after ESC -> codec of the upper half (G1): a byte from 0x80 on belongs to it.
_UPPER: Final = MappingProxyType({
    b"-A": "latin-1", b"-B": "iso8859-2", b"-C": "iso8859-3", b"-D": "iso8859-4", b"-L": "iso8859-5",
    b"-G": "iso8859-6", b"-F": "iso8859-7", b"-H": "iso8859-8", b"-M": "iso8859-9", b"-b": "iso8859-15",
    b"-T": "tis-620", b")I": "shift_jis", b"$)C": "euc-kr", b"$)A": "gb2312",
})  # fmt: skip

# Escape sequence after ESC -> (codec, escape that the codec itself wants) of the lower half (G0).
_LOWER: Final = MappingProxyType({
    b"(B": ("", b""), b"(J": ("", b""),
    b"$B": ("iso2022_jp", b"\x1b$B"), b"$@": ("iso2022_jp", b"\x1b$@"),
    b"$(D": ("iso2022_jp_2", b"\x1b$(D"), b"$A": ("iso2022_jp_2", b"\x1b$A"),
    b"$(C": ("iso2022_jp_2", b"\x1b$(C"),
})  # fmt: skip

_ESCAPE: Final = re.compile(rb"\x1b(\$?[()\-]?[@-~])?")
_DELIMITERS: Final = re.compile(rb"[\\^=\r\n\t\f]")

# Sets of the upper half that no delimiter restores: ASCII has none, the others come by escape sequence.
_RESET_NOWHERE: Final = frozenset({"ascii", "euc-kr", "gb2312", "euc-jp"})


def _two_byte(data: bytes, codec: str, introducer: bytes) -> tuple[str, bool]:
    """Decode a run of a two-byte set in the lower half.

    Control characters and the space are one byte in every state. A run of odd length means that
    the sender forgot to return to ASCII; its last byte is then taken as ASCII.
    """
    parts: list[str] = []
    whole = True
    for run in re.findall(rb"[\x21-\x7e]+|[^\x21-\x7e]+", data):
        if not 0x21 <= run[0] <= 0x7E:
            text, fits = decode_escaped(run, "ascii")
        else:
            pairs = run[: len(run) & ~1]
            text, fits = _pairs(pairs, codec, introducer)
            text += run[len(pairs) :].decode("ascii")
        parts.append(text)
        whole = whole and fits
    return "".join(parts), whole


def _pairs(pairs: bytes, codec: str, introducer: bytes) -> tuple[str, bool]:
    try:
        return (introducer + pairs).decode(codec), True
    except UnicodeDecodeError:
        one_by_one = [_pair(pairs[at : at + 2], codec, introducer) for at in range(0, len(pairs), 2)]
    return "".join(text for text, _ in one_by_one), all(fits for _, fits in one_by_one)


def _pair(pair: bytes, codec: str, introducer: bytes) -> tuple[str, bool]:
    for data, name in ((introducer + pair, codec), (_shift_jis(pair), "cp932")):
        try:
            return data.decode(name), True
        except UnicodeDecodeError:
            continue
    return escape(pair), False


def _shift_jis(pair: bytes) -> bytes:
    """Return a JIS X 0208 pair in Shift JIS, where vendors' rows 13 and 89 to 92 are known."""
    row, cell = pair[0] - 0x21, pair[1]
    lead = (0x81 if row < 62 else 0xC1) + row // 2
    trail = cell + 0x7E if row % 2 else cell + (0x1F if cell < 0x60 else 0x20)
    return bytes((lead, trail))


def _upper_run(run: bytes, upper: str, first: str) -> tuple[str, bool, str]:
    """Decode a run whose lower half is ASCII; returns text, flag and the upper half's set after it."""
    delimiter = _DELIMITERS.search(run)
    if delimiter is None or upper == first or first in _RESET_NOWHERE:
        return *decode_escaped(run, upper), upper
    before, fits_before = decode_escaped(run[: delimiter.start()], upper)
    after, fits_after = decode_escaped(run[delimiter.start() :], first)
    return before + after, fits_before and fits_after, first


def decode_iso2022(data: bytes, upper: str, *, japanese: bool = False) -> tuple[str, bool]:
    """Decode text with escape sequences; the flag says that every byte was text.

    `upper` is the codec of bytes from 0x80 on until an escape sequence changes it. `japanese`: the
    lower half starts as ISO-IR 14 (JIS X 0201 romaji). At a delimiter (backslash, caret, equals
    sign, end of line or page) the upper half returns to a single-byte `upper`, as PS3.5 6.1.2.5.3
    demands; where that would leave it empty it stays, for senders that do not repeat the sequence.
    """
    parts: list[str] = []
    whole = True
    first, codec, introducer, roman = upper, "", b"", japanese
    position = 0
    for found in [*_ESCAPE.finditer(data), None]:
        run = data[position : found.start() if found else len(data)]
        if codec:
            text, fits = _two_byte(run, codec, introducer)
        else:
            text, fits, upper = _upper_run(run, upper, first)
        parts.append(text.replace("~", "\u203e") if roman else text)
        whole = whole and fits
        if found is None:
            break
        position = found.end()
        sequence = found.group(1)
        if sequence in _LOWER:
            codec, introducer = _LOWER[sequence]
            roman = sequence == b"(J"
        elif sequence in _UPPER:
            upper = _UPPER[sequence]
        else:
            parts.append(escape(data[found.start() : found.end()]))
            whole = False
    return "".join(parts), whole
