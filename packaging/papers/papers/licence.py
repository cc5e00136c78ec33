"""Licences: their SPDX names, what may be bundled, the texts that every Debian system has already."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from papers.failure import PapersFailed

# What metadata says where it does not say it in SPDX (classifiers and free text of older packages).
SPOKEN: Final[Mapping[str, str]] = {
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "ZPL 2.1": "ZPL-2.1",
    "Zope Public License": "ZPL-2.1",
}
# Those whose metadata is silent or vague; read from their licence files.
READ: Final[Mapping[str, str]] = {"click-default-group": "BSD-3-Clause", "pysqlite3": "Zlib"}
PLAIN: Final = frozenset(
    (
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "MIT",
        "MIT-0",
        "MIT-CMU",
        "MPL-2.0",
        "PSF-2.0",
        "Zlib",
    )
)

# https://spdx.org/licenses: the strong copyleft. LGPL is not among it: linked by import, replaceable.
_COPYLEFT = re.compile(r"^(A?GPL|SSPL|OSL|EUPL|CECILL)\b|^GNU (Affero )?General", re.IGNORECASE)
# The compiler's own runtime libraries, which may go with any program.
_EXCEPTIONS = re.compile(r"\S+ WITH (GCC-exception-3\.1|GCC-exception-2\.0)", re.IGNORECASE)

# Texts of /usr/share/common-licenses by a sentence that only they have, as far as the end of their terms.
# Debian Policy 12.5: a copyright file names these instead of repeating them.
# Some leave out the words after the ninth section.
_APACHE_END = r"or\s+additional\s+liability\.(?:\s+END OF TERMS AND CONDITIONS)?"
COMMON: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("Apache-2.0", re.compile(rf"[ \t]*Apache License\s+Version 2\.0, January 2004.*?{_APACHE_END}", re.DOTALL)),
    (
        "MPL-2.0",
        re.compile(
            r"Mozilla Public License Version 2\.0\s+=+.*defined by the\s+Mozilla Public License, v\. 2\.0\.", re.DOTALL
        ),
    ),
    (
        "LGPL-3",
        re.compile(
            r"[ \t]*GNU LESSER GENERAL PUBLIC LICENSE\s+Version 3, 29 June 2007.*?permanent authorization for you to"
            r" choose that version for the\s+Library\.",
            re.DOTALL,
        ),
    ),
    (
        "GPL-3",
        re.compile(
            r"[ \t]*GNU GENERAL PUBLIC LICENSE\s+Version 3, 29 June 2007.*?why-not-lgpl\.html>\.",
            re.DOTALL,
        ),
    ),
    (
        "LGPL-2.1",
        re.compile(
            r"[ \t]*GNU LESSER GENERAL PUBLIC LICENSE\s+Version 2\.1, February 1999.*?That's all there is to it!",
            re.DOTALL,
        ),
    ),
)


def expression(name: str, declared: str, free: str, classifiers: Iterable[str]) -> str:
    """The SPDX expression of a package: as declared, or else by table.

    `free` is the older free-text field. Raises PapersFailed when nothing says it; a classifier that names the GPL
    beats a milder word elsewhere.
    """
    named = [entry.rpartition("::")[2].strip() for entry in classifiers if entry.startswith("License ::")]
    refuse(name, " AND ".join(entry for entry in named if _COPYLEFT.search(entry)))
    if declared or name in READ:
        return declared or READ[name]
    for word in (free.strip(), *named):
        if word in PLAIN or word in SPOKEN:
            return SPOKEN.get(word, word)
    raise PapersFailed(f"{name} does not say its licence; look, and add it to packaging/papers/papers/licence.py")


def refuse(name: str, spdx: str) -> None:
    """Raise PapersFailed when every choice that `spdx` leaves is a copyleft licence such as the GPL."""
    choices = _EXCEPTIONS.sub("MIT", spdx.replace("/", " OR ")).split(" OR ")
    nested = "(" in spdx
    bad = [any(_COPYLEFT.search(term.strip("() ")) for term in re.split(r" AND | WITH ", choice)) for choice in choices]
    if all(bad) or (nested and any(bad)):
        raise PapersFailed(f"{name} is under {spdx}, which may not be bundled")


def shortened(text: str) -> str:
    """The text with each licence that Debian has in /usr/share/common-licenses replaced by its place."""
    for name, pattern in COMMON:
        text = pattern.sub(
            f"[The text of this licence is in /usr/share/common-licenses/{name} on Debian systems.]", text
        )
    return text


def holders(texts: Iterable[str]) -> tuple[str, ...]:
    """The lines that claim a copyright, once each, in their order."""
    claims = re.compile(
        r"^\W*((?:Portions )?Copyright(?: \(c\)| ©)? .*\d{4}.*|Copyright .*\d{4}.*|© .*\d{4}.*)$", re.IGNORECASE
    )
    found = (claims.match(line.strip()) for text in texts for line in text.splitlines())
    return tuple(dict.fromkeys(" ".join(claim.group(1).split()) for claim in found if claim))
