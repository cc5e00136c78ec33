"""Media types and content negotiation (RFC 9110 12.5.1, PS3.18 8.7)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

DICOM: Final = "application/dicom"
DICOM_JSON: Final = "application/dicom+json"
DICOM_XML: Final = "application/dicom+xml"
JSON: Final = "application/json"
MULTIPART: Final = "multipart/related"
OCTET_STREAM: Final = "application/octet-stream"

_MOST_RANGES: Final = 32
_LONGEST: Final = 8192
_TYPE: Final = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*")
_PARAMETER: Final = re.compile(
    r"\s*;\s*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;,\"]*)))?\s*"
)


@dataclass(frozen=True, slots=True)
class MediaType:
    """One media type or range. `type` and parameter names are lower case, values as written."""

    type: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        """Return a parameter, or "" where it is absent."""
        return self.parameters.get(name, "")

    @property
    def quality(self) -> float:
        """The weight between 0 (not acceptable) and 1; a bad one counts as 0."""
        try:
            weight = float(self.parameters.get("q", "1"))
        except ValueError:
            return 0.0
        return weight if 0.0 <= weight <= 1.0 else 0.0


@dataclass(frozen=True, slots=True)
class Offer:
    """A representation we can give: its media type and, for multipart/related, that of its parts.

    `aliases` are further media types that ask for it. `transfer_syntax` is that of the bytes, ""
    where it does not matter. `decoded`: pixels are decoded for it.
    """

    type: str
    part: str = ""
    aliases: tuple[str, ...] = ()
    transfer_syntax: str = ""
    decoded: bool = False

    def answers(self, wanted: MediaType) -> bool:
        """Say whether this representation is within the range `wanted`."""
        if not (_within(self.type, wanted.type) or wanted.type in self.aliases):
            return False
        if wanted.type == MULTIPART and wanted["type"] and not _within(self.part, wanted["type"].lower()):
            return False
        syntax = wanted["transfer-syntax"]
        return not self.transfer_syntax or syntax in ("", "*", self.transfer_syntax)


def _within(type_: str, range_: str) -> bool:
    if range_ in ("*/*", type_):
        return True
    return range_.endswith("/*") and type_.startswith(range_[:-1])


def _one(text: str, at: int) -> tuple[MediaType, int] | None:
    found = _TYPE.match(text, at)
    if found is None:
        return None
    parameters: dict[str, str] = {}
    at = found.end()
    while (parameter := _PARAMETER.match(text, at)) is not None:
        name, quoted, plain = parameter.groups()
        if name:
            value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
            parameters.setdefault(name.lower(), value)
        at = parameter.end()
    return MediaType(found.group(1).lower(), parameters), at


def parse_media_type(text: str) -> MediaType | None:
    """Return the media type a Content-Type header names, or None if it names none."""
    found = _one(text[:_LONGEST], 0)
    return found[0] if found is not None and found[1] == len(text) else None


def parse_accept(text: str) -> tuple[MediaType, ...]:
    """Return the ranges of an Accept header, the most wanted first; what is no media range is skipped."""
    ranges: list[MediaType] = []
    at, text = 0, text[:_LONGEST]
    while at < len(text) and len(ranges) < _MOST_RANGES:
        found = _one(text, at)
        if found is not None:
            ranges.append(found[0])
            at = found[1]
        comma = text.find(",", at)
        at = len(text) if comma < 0 else comma + 1
    return tuple(sorted(ranges, key=lambda wanted: -wanted.quality))


def choose(accept: Sequence[MediaType], offers: Sequence[Offer]) -> Offer | None:
    """Return the offer the client wants most; ties go to the earlier offer. No wish takes the first.

    None means 406: nothing we have is acceptable.
    """
    if not accept:
        return offers[0]
    refused = [wanted for wanted in accept if wanted.quality == 0.0 and "*" not in wanted.type]
    for wanted in accept:
        for offer in offers:
            if wanted.quality > 0.0 and offer.answers(wanted) and not any(map(offer.answers, refused)):
                return offer
    return None
