"""The native libraries of a site-packages folder, after the table; one that the table does not know is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from papers.failure import PapersFailed
from papers.licence import holders, refuse
from papers.native_table import NATIVES, WATCHED, Native
from papers.part import Part

TEXTS = Path(__file__).parent / "licences"


def text(name: str) -> str:
    """A licence text that no wheel brings."""
    return (TEXTS / f"{name}.txt").read_text(encoding="utf-8")


def strangers(site_packages: Path) -> list[str]:
    """Libraries below site-packages that no row of the table claims."""
    watched = {path for pattern in WATCHED for path in site_packages.glob(pattern)}
    claimed = {path for row in NATIVES for path in site_packages.glob(row.pattern)}
    return sorted(str(path.relative_to(site_packages)) for path in watched - claimed)


def inside(wheel: str, site_packages: Path, listed: Mapping[str, Part]) -> tuple[Part, ...]:
    """The libraries that the wheel brings; `listed` is what its own list says, by name.

    Several rows of one name are one library. Raises PapersFailed for a licence that may not be bundled.
    """
    found: dict[str, Part] = {}
    for row in (row for row in NATIVES if row.wheel == wheel):
        files = sorted(site_packages.glob(row.pattern))
        if files and row.name not in found:
            refuse(f"{row.name} in {wheel}", row.licence)
            found[row.name] = _part(row, files, listed.get(row.listed))
    return tuple(found[name] for name in sorted(found))


def _part(row: Native, files: Iterable[Path], listed: Part | None) -> Part:
    version = listed.version if listed else _version(row, files)
    words = (text(row.text),) if row.text else ()
    number = version.partition("-")[0]
    return Part(
        name=row.name,
        version=version,
        licence=row.licence,
        purl=(listed.purl if listed else "") or f"pkg:generic/{row.name}" + (f"@{version}" if version else ""),
        cpe=f"cpe:2.3:a:{row.cpe}:{number}:*:*:*:*:*:*:*" if row.cpe and number else "",
        holders=holders(words),
        texts=words,
    )


def _version(row: Native, files: Iterable[Path]) -> str:
    """The longest answer of the files: `libx.so.2` and `libx.so.2.3.0` are the same one."""
    if not row.version:
        return ""
    read = (path.name.encode() + b"\n" + path.read_bytes() for path in files)
    told = [match[1].decode() for content in read if (match := re.search(row.version, content))]
    if not told:
        raise PapersFailed(f"{row.name} in {row.wheel} does not tell its version any more; mend native_table.py")
    return max(told, key=len)
