"""Person names (PS3.5 6.2.1): their component groups and the folded form that searches compare."""

from __future__ import annotations

import unicodedata
from types import MappingProxyType
from typing import Final

# Latin letters that Unicode does not decompose into a base letter and an accent.
_UNDECOMPOSED: Final = MappingProxyType(
    str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe"})
)

_LAST_ACCENTED_BASE: Final = "\u03ff"  # the end of the Greek block
_FIRST_ACCENT: Final = "\u0300"
_LAST_ACCENT: Final = "\u036f"


def _strip_accents(decomposed: str) -> str:
    """Drop accents after Latin and Greek letters; elsewhere (Cyrillic, kana) they tell letters apart."""
    kept: list[str] = []
    base = ""
    for character in decomposed:
        if _FIRST_ACCENT <= character <= _LAST_ACCENT:
            if base <= _LAST_ACCENTED_BASE:
                continue
        else:
            base = character
        kept.append(character)
    return "".join(kept)


def _fold_once(text: str) -> str:
    decomposed = _strip_accents(unicodedata.normalize("NFKD", text)).casefold()
    return unicodedata.normalize("NFKC", decomposed.translate(_UNDECOMPOSED))


def fold(text: str) -> str:
    """Fold text for comparison: case, Latin and Greek accents, full and half width, runs of spaces.

    The result is stable: folding it again changes nothing. Wildcard characters stay (full-width
    ones become ASCII); NUL is dropped.
    """
    folded = text.lower() if text.isascii() else _fold_once(_fold_once(text))
    return " ".join(folded.replace("\0", "").split())


def fold_group(group: str) -> str:
    """Fold one component group of a person name; padding and trailing empty components go."""
    # A full-width equals sign becomes ASCII here, where it no longer delimits groups.
    folded = fold(group).replace("=", " ")
    return "^".join(component.strip() for component in folded.split("^")).rstrip("^")


def name_search(text: str) -> str:
    """Return what searches compare of a person name: "=" + folded groups joined by "=" + "=".

    Every group stands between two equals signs, so that one LIKE pattern can ask for a whole group
    ("%=doe^john=%"), its beginning ("%=doe%=%") or any part of it. Trailing empty groups are left
    out; several names (separated by a backslash) follow one another. Empty for an empty name.
    """
    if text.isascii() and "=" not in text and "\\" not in text:
        group = fold_group(text)
        return f"={group}=" if group else ""
    groups: list[str] = []
    for name in text.split("\\"):
        folded = [fold_group(group) for group in name.split("=")]
        while folded and not folded[-1]:
            folded.pop()
        groups += folded
    return f"={'='.join(groups)}=" if groups else ""
