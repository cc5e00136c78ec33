"""What wheels say of their own contents: the lists in *.dist-info/sboms (PEP 770), such as the crates of Rust code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from papers.licence import refuse
from papers.native_table import NATIVES
from papers.part import Part

# Not in the wheel, or only perhaps: the table of native libraries knows what really is.
_ABSENT = ("optional", "excluded")
# The wheel as a component of itself, and its extension modules.
_ITSELF = "pkg:pypi/"


def read(dist_info: Path, *, maybe: bool = True) -> dict[str, Part]:
    """The components of every list by name; `maybe`: those too that a wheel may hold or not (scope "optional")."""
    found: dict[str, Part] = {}
    for path in sorted((dist_info / "sboms").glob("*.json")):
        for component in json.loads(path.read_text(encoding="utf-8")).get("components", ()):
            if maybe or component.get("scope") not in _ABSENT:
                found.setdefault(f"{component['name']}@{component.get('version', '')}", _part(component))
    return found


def by_name(parts: Mapping[str, Part]) -> dict[str, Part]:
    """The same, by name alone."""
    return {part.name: part for part in parts.values()}


def compiled_in(dist_info: Path, wheel: str) -> Iterator[Part]:
    """What is inside the wheel's own libraries: crates of Rust, sources in C. Not what the table knows.

    Raises PapersFailed for a part that may not be bundled.
    """
    known = {row.listed for row in NATIVES if row.wheel == wheel}
    for part in read(dist_info, maybe=False).values():
        if part.name not in known and not part.purl.startswith(_ITSELF):
            refuse(f"{part.name} in {wheel}", part.licence)
            yield part


def _part(component: Mapping[str, Any]) -> Part:
    purl = str(component.get("purl", "")).partition("?")[0]
    return Part(str(component["name"]), str(component.get("version", "")), _licence(component), purl)


def _licence(component: Mapping[str, Any]) -> str:
    named = (entry.get("expression") or _named(entry.get("license", {})) for entry in component.get("licenses", ()))
    return " AND ".join(str(each).replace("/", " OR ") for each in named if each)


def _named(licence: Mapping[str, str]) -> str:
    return licence.get("id") or licence.get("name") or ""
