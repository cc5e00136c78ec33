"""Text of manual pages: man(7) macros with everything escaped that roff would take for an instruction."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

_CODE = re.compile(r"`([^`]+)`")
_SHORT = 60


def escape(text: str) -> str:
    """Text as it stands, in ASCII: backslashes, quotes and dashes that would be changed, other letters by number."""
    plain = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("`", r"\(ga")
    plain = plain.replace("~", r"\(ti").replace("^", r"\(ha")
    return "".join(letter if letter.isascii() else f"\\[u{ord(letter):04X}]" for letter in plain)


def line(text: str) -> str:
    """One line of input; a dot at its start is no request."""
    return rf"\&{text}" if text.startswith((".", r"\(aq")) else text


def prose(text: str) -> str:
    """A paragraph's words in one line, `code` in bold."""
    parts = _CODE.split(" ".join(text.split()))
    return line("".join(bold(part) if number % 2 else _words(part) for number, part in enumerate(parts)))


def _words(text: str) -> str:
    """Prose keeps its hyphens, where a line may break; options and ranges keep their dashes."""
    joined = re.split(r"((?<=\w)-(?=\w))", text)
    return "".join("-" if part == "-" and number % 2 else escape(part) for number, part in enumerate(joined))


def bold(text: str) -> str:
    """Something to be typed."""
    return rf"\fB{escape(text)}\fR"


def title(name: str, section: int, when: datetime, source: str) -> str:
    """The head of a page."""
    return f'.TH {escape(name.upper())} {section} {when:%Y-%m-%d} "{escape(source)}" "DICOM edge appliance"'


def section(name: str) -> str:
    """A heading."""
    return f'.SH "{escape(name)}"'


def subsection(name: str) -> str:
    """A heading below a heading."""
    return f'.SS "{escape(name)}"'


def paragraph(text: str) -> str:
    """A paragraph that is filled."""
    return f".PP\n{prose(text)}"


def entry(tag: str, text: str) -> str:
    """An option, file or code, and what it means."""
    return f".TP\n{line(tag)}\n{prose(text)}"


def literal(lines: Iterable[str]) -> str:
    """Lines that keep their shape."""
    kept = "\n".join(line(escape(each)) for each in lines)
    return f".PP\n.RS 4\n.nf\n{kept}\n.fi\n.RE"


def name_line(name: str, does: str) -> str:
    """The line that `whatis` and `apropos` read: its dash is the one they look for."""
    return rf"{escape(name)} \- {prose(does)}"


def help_text(text: str) -> Iterator[str]:
    r"""The paragraphs of a command's help; one that begins with \b keeps its lines, as click has it."""
    for block in re.split(r"\n\s*\n", text.strip()):
        if block.lstrip().startswith("\b"):
            yield literal(each for each in block.replace("\b", "").splitlines() if each.strip())
        else:
            yield paragraph(block)
