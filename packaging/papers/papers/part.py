"""A bundled thing: a wheel, a library inside one, the viewer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Hash:
    """A digest of a published file; `algorithm` as CycloneDX names it."""

    algorithm: str
    content: str


@dataclass(frozen=True, slots=True)
class Part:
    """What the documents say of one bundled thing.

    `licence` is an SPDX expression, `cpe` the name that lists of vulnerabilities use. `files` are patterns below the
    package's folder. `sources` are the places it was published, each with the digests its file may have. `parts` are
    the things inside it, `needs` the names of others.
    """

    name: str
    version: str
    licence: str
    purl: str = ""
    cpe: str = ""
    summary: str = ""
    holders: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    sources: tuple[tuple[str, tuple[Hash, ...]], ...] = ()
    needs: tuple[str, ...] = ()
    parts: tuple[Part, ...] = field(default=())


def everything(parts: Iterable[Part]) -> Iterable[Part]:
    """Each part, followed by the parts inside it."""
    for part in parts:
        yield part
        yield from everything(part.parts)
