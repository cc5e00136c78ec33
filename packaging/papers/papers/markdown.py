"""The Markdown of docs/ as man(7): headings, paragraphs, lists, tables of meanings, blocks of code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from papers import roff

_LINK = re.compile(r"!?\[([^\]]+)\]\([^)]+\)")
_MARKS = re.compile(r"\*\*([^*]+)\*\*|<!--.*?-->", re.DOTALL)
_LIST = re.compile(r"(?:[-*]|\d+\.) +(.*)", re.DOTALL)
_FENCE = re.compile(r"^```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def body(text: str) -> Iterator[str]:
    """Everything below the document's first heading."""
    _, _, rest = text.partition("\n")
    position = 0
    for fence in _FENCE.finditer(rest):
        yield from _blocks(rest[position : fence.start()])
        yield roff.literal(fence[1].rstrip("\n").split("\n"))
        position = fence.end()
    yield from _blocks(rest[position:])


def _blocks(text: str) -> Iterator[str]:
    for block in re.split(r"\n\s*\n", _MARKS.sub(lambda mark: mark[1] or "", _LINK.sub(r"\1", text))):
        yield from _block(block.strip("\n"))


def _block(block: str) -> Iterator[str]:
    if not block.strip():
        return
    if heading := re.match(r"(#+) +(.*)", block):
        yield roff.section(heading[2].upper()) if len(heading[1]) == 2 else roff.subsection(heading[2])
        yield from _block(block[heading.end() :].strip("\n"))
    elif block.startswith("    "):
        yield roff.literal(line[4:] for line in block.split("\n"))
    elif block.startswith("|"):
        yield from _table(block)
    elif _LIST.match(block):
        yield from (_item(item) for item in re.split(r"\n(?=(?:[-*]|\d+\.) )", block))
    else:
        yield roff.paragraph(block)


def _table(block: str) -> Iterator[str]:
    """Rows as entries: the first cell is the name, the last its meaning, what is between stands before it."""
    _head, _rule, *rows = block.split("\n")
    for row in rows:
        name, *between, meaning = (cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip("|")))
        before = f"[{'; '.join(between)}] " if between else ""
        yield roff.entry(roff.prose(name), before + meaning.replace("\\|", "|"))


def _item(item: str) -> str:
    match = _LIST.match(item)
    return f".IP \\(bu 2\n{roff.prose(match[1] if match else item)}"
