"""The package's copyright file (https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from papers.licence import shortened
from papers.part import Part

FORMAT = "https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"
LIBRARIES = "usr/lib/dicom-edge-appliance/venv/lib/python3*/site-packages/"
SHARED = "usr/share/dicom-edge-appliance/"
_RULE = "----"
_OURS = (
    "Licensed under the Apache License, Version 2.0; on Debian systems its text is in\n"
    "/usr/share/common-licenses/Apache-2.0."
)
_ABOUT = (
    "The files named below are installed as their publishers released them, in a virtual\n"
    "environment of their own. Libraries inside them are listed with versions in sbom.cdx.json."
)


def document(product: Part, wheels: Sequence[Part], viewer: Part | None) -> str:
    """The file's text: one paragraph per bundled thing, each with the licence texts it came with."""
    paragraphs = [
        _fields(
            ("Format", FORMAT),
            ("Upstream-Name", product.name),
            ("Upstream-Contact", product.holders[0]),
            ("Comment", _ABOUT),
        ),
        _fields(("Files", "*"), ("Copyright", "\n".join(product.holders)), ("License", f"{product.licence}\n{_OURS}")),
        *(_paragraph(part, LIBRARIES) for part in wheels),
        *((_paragraph(viewer, SHARED),) if viewer else ()),
    ]
    return "\n".join(paragraphs)


def _paragraph(part: Part, place: str) -> str:
    return _fields(
        ("Files", "\n".join(_pattern(place + name) for name in part.files)),
        ("Copyright", "\n".join(_claims(part))),
        ("License", f"{_short(part)}\n{_texts(part)}"),
        ("Comment", f"{part.name} {part.version}, under {part.licence}"),
    )


def _claims(part: Part) -> tuple[str, ...]:
    inner = (claim for each in part.parts for claim in each.holders)
    return tuple(dict.fromkeys((*part.holders, *inner)))


def _short(part: Part) -> str:
    """A licence name in this format's own grammar, where `and` and `or` join names without spaces."""
    inner = (each.licence for each in part.parts if each.texts)
    names = dict.fromkeys((part.licence, *inner))
    joined = [name.replace(" WITH ", "-with-").replace(" OR ", " or ").replace(" AND ", " and ") for name in names]
    if len(joined) == 1:
        return joined[0]
    return " and ".join(name for name in joined if " or " not in name) or joined[0]


def _texts(part: Part) -> str:
    own = [shortened(text) for text in part.texts]
    brought = [
        f"For {each.name} in it ({each.licence}):\n\n{shortened(text)}" for each in part.parts for text in each.texts
    ]
    return f"\n\n{_RULE}\n\n".join(text.strip("\n") for text in dict.fromkeys((*own, *brought)))


def _pattern(path: str) -> str:
    return path.replace(" ", "?")


def _fields(*fields: tuple[str, str]) -> str:
    return "".join(_field(name, value) for name, value in fields)


def _field(name: str, value: str) -> str:
    first, *more = _clean(value)
    return f"{name}: {first}\n" + "".join(f" {line}\n" if line.strip() else " .\n" for line in more)


def _clean(value: str) -> Iterator[str]:
    """Lines without tabs, form feeds and trailing blanks; a line of a dot alone would end up as an empty one."""
    lines: Iterable[str] = value.expandtabs().replace("\f", "").replace("\ufeff", "").split("\n")
    for line in lines:
        kept = "".join(character for character in line if character.isprintable()).rstrip()
        yield kept if kept != "." else ".."
