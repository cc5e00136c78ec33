"""What is installed in a site-packages folder, with licence texts, and with the libraries that wheels bring."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path

from papers import licence, listed, natives
from papers.failure import PapersFailed
from papers.lock import Pin, normal
from papers.part import Hash, Part

OURS = "dicom-edge-appliance"
_LICENCE_FILE = re.compile(r"licen[cs]e|copying|notice|copyright|^e[dp]l-v", re.IGNORECASE)
_AUTHORS_ONLY = re.compile(r"^authors", re.IGNORECASE)


def read(site_packages: Path, pins: Mapping[str, Pin]) -> tuple[Part, ...]:
    """Every package but the appliance itself, by name.

    Raises PapersFailed for one that the lock does not name with this version, whose licence is not said or may not be
    bundled, that has no licence text, or that brings a library nobody knows.
    """
    if unknown := natives.strangers(site_packages):
        raise PapersFailed(f"nobody knows the library {unknown[0]}; add it to packaging/papers/papers/native_table.py")
    found = {normal(each.name): each for each in distributions(path=[str(site_packages)])}
    found.pop(OURS, None)
    return tuple(_part(name, found[name], site_packages, pins, frozenset(found)) for name in sorted(found))


def _part(name: str, one: Distribution, place: Path, pins: Mapping[str, Pin], installed: frozenset[str]) -> Part:
    pin = pins.get(name)
    if pin is None or pin.version != one.version:
        raise PapersFailed(
            f"{name} {one.version} is installed, the lock says {pin.version if pin else 'nothing of it'}"
        )
    about = one.metadata.json
    spdx = licence.expression(
        name, str(about.get("license_expression", "")), str(about.get("license", "")), _list(about.get("classifier"))
    )
    licence.refuse(name, spdx)
    folder = _dist_info(one, place)
    texts = tuple(_texts(name, folder))
    return Part(
        name=one.name,
        version=one.version,
        licence=spdx,
        purl=f"pkg:pypi/{name}@{one.version}",
        summary=str(about.get("summary", "")),
        holders=licence.holders(texts) or _authors(about),
        texts=texts,
        files=tuple(_files(one, folder)),
        sources=((f"https://pypi.org/project/{name}/{one.version}/", _hashes(pin)),),
        needs=tuple(sorted(_needs(one) & installed)),
        parts=(*natives.inside(name, place, listed.by_name(listed.read(folder))), *listed.compiled_in(folder, name)),
    )


def _dist_info(one: Distribution, place: Path) -> Path:
    stem = re.sub(r"[-_.]+", "[-_.]+", re.escape(normal(one.name)).replace(r"\-", "-"))
    wanted = re.compile(rf"{stem}-{re.escape(one.version)}\.dist-info", re.IGNORECASE)
    return next(path for path in sorted(place.glob("*.dist-info")) if wanted.fullmatch(path.name))


def _texts(name: str, folder: Path) -> Iterator[str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and _LICENCE_FILE.search(path.name)]
    if not files and (natives.TEXTS / f"{name}.txt").exists():
        yield natives.text(name)
        return
    if not files:
        raise PapersFailed(f"{name} has no licence text; add one as packaging/papers/papers/licences/{name}.txt")
    for path in files:
        yield path.read_text(encoding="utf-8", errors="replace")


def _files(one: Distribution, folder: Path) -> Iterator[str]:
    """The package's files and folders below site-packages."""
    tops = {path.parts[0] for path in one.files or () if ".." not in path.parts and not path.is_absolute()}
    for top in sorted((tops | {folder.name}) - {"__pycache__", "bin"}):
        yield f"{top}/*" if (folder.parent / top).is_dir() else top


def _hashes(pin: Pin) -> tuple[Hash, ...]:
    return tuple(Hash("SHA-256", content) for content in sorted(pin.sha256))


def _needs(one: Distribution) -> set[str]:
    required = (line for line in one.requires or () if "extra ==" not in line)
    names = (re.match(r"[A-Za-z0-9._-]+", line) for line in required)
    return {normal(name[0]) for name in names if name}


def _authors(about: Mapping[str, str | list[str]]) -> tuple[str, ...]:
    named = (str(about.get(key, "")) for key in ("author", "author_email"))
    return tuple(name for name in named if name) or ("the authors of the package",)


def _list(value: str | list[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())
