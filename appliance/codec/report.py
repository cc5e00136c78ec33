"""The operation "report": a structured report as HTML, without scripts, styles or anything fetched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any, Final

from pydicom import Dataset

from appliance.codec.content import CONTAINER, Content, Reference, code, content_of, evidence, moment, person
from appliance.codec.groups import first_item, items, text

if TYPE_CHECKING:
    from appliance.codec.opened import Opened

MOST_ITEMS: Final = 20_000
DEEPEST: Final = 64
UNTITLED: Final = "Report"
Places = Mapping[str, tuple[str, str]]

_HEAD: Final = (
    ("Patient", "PatientName", person),
    ("Patient ID", "PatientID", str),
    ("Born", "PatientBirthDate", moment),
    ("Sex", "PatientSex", str),
    ("Study", "StudyDescription", str),
    ("Study date", "StudyDate", moment),
    ("Accession number", "AccessionNumber", str),
    ("Institution", "InstitutionName", str),
    ("Written", "ContentDate", moment),
    ("Completion", "CompletionFlag", str.capitalize),
    ("Verification", "VerificationFlag", str.capitalize),
)


def report(opened: Opened, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return facts {media_type, title, complaints} and an HTML fragment in UTF-8.

    `root` is the path that links to other objects begin with. What cannot be read is said at the end of the
    fragment and counted in `complaints`.
    """
    pages = Writer(opened.dataset(), str(arguments.get("root", "")))
    fragment = pages.fragment()
    facts = {"media_type": "text/html", "title": pages.title, "complaints": len(pages.complaints)}
    return facts, fragment.encode("utf-8", "replace")


class Writer:
    """Writes one report. Works through the content tree with a list of its own, so nesting costs no stack."""

    def __init__(self, dataset: Dataset, root: str = "") -> None:
        self._dataset = dataset
        self._root = root
        self._places: Places = evidence(dataset)
        self.title = code(first_item(dataset, "ConceptNameCodeSequence")) or UNTITLED
        self.complaints: dict[str, int] = {}

    def fragment(self) -> str:
        """Return the report as HTML: head, content, and what could not be read."""
        return "\n".join([*self._head(), *self._tree(), *self._complaints()])

    def _head(self) -> Iterator[str]:
        yield f"<h1>{clean(self.title)}</h1>"
        yield "<dl>"
        for label, keyword, words in _HEAD:
            written = text(self._dataset, keyword)
            if written:
                yield f'<dt>{label}</dt><dd dir="auto">{clean(words(written))}</dd>'
        for observer in items(self._dataset, "VerifyingObserverSequence"):
            parts = (
                person(text(observer, "VerifyingObserverName")),
                text(observer, "VerifyingOrganization"),
                moment(text(observer, "VerificationDateTime")),
            )
            yield f'<dt>Verified by</dt><dd dir="auto">{clean(", ".join(filter(None, parts)))}</dd>'
        yield "</dl>"

    def _tree(self) -> Iterator[str]:
        top = items(self._dataset, "ContentSequence")
        if not top:
            self._complain("the report has no content")
        left = MOST_ITEMS
        waiting: list[tuple[Dataset | str, int]] = [(item, 2) for item in reversed(top)]
        while waiting:
            item, depth = waiting.pop()
            if isinstance(item, str):
                yield item
                continue
            if left <= 0 or depth > DEEPEST:
                self._complain("the report is too long or too deeply nested to be shown whole")
                continue
            left -= 1
            yield from self._item(item, depth, waiting)

    def _item(self, item: Dataset, depth: int, waiting: list[tuple[Dataset | str, int]]) -> Iterator[str]:
        content = content_of(item)
        if content.complaint:
            self._complain(content.complaint)
        children = items(item, "ContentSequence")
        if text(item, "ValueType").upper() == CONTAINER:
            level = min(depth, 6)
            heading = f'<h{level} dir="auto">{clean(content.concept)}</h{level}>' if content.concept else ""
            yield f"<section>{heading}"
            waiting.append(("</section>", depth))
        else:
            yield f"<div>{self._line(content)}"
            waiting.append(("</div>", depth))
        waiting.extend((child, depth + 1) for child in reversed(children))

    def _line(self, content: Content) -> str:
        label = f"<b>{clean(content.concept)}</b> " if content.concept else ""
        words = self._link(content.words, content.reference) if content.reference else clean(content.words)
        if content.complaint:
            words = f"<em>{clean(content.complaint)}</em>"
        return f'<p dir="auto">{label}<span>{words}</span></p>'

    def _link(self, words: str, reference: Reference) -> str:
        place = self._places.get(reference.sop_uid)
        part = f" ({clean(reference.words)})" if reference.words else ""
        if place is None:
            return f"{clean(words)}{part} <code>{clean(reference.sop_uid)}</code>"
        path = f"{self._root}/studies/{place[0]}/series/{place[1]}/instances/{reference.sop_uid}/rendered"
        return f'<a href="{escape(path)}" target="_blank" rel="noopener">{clean(words)}</a>{part}'

    def _complain(self, complaint: str) -> None:
        self.complaints[complaint] = self.complaints.get(complaint, 0) + 1

    def _complaints(self) -> Iterator[str]:
        if self.complaints:
            yield "<footer><p>Parts of this report could not be read:</p><ul>"
            for complaint, count in self.complaints.items():
                yield f"<li>{clean(complaint)}{f' ({count} times)' if count > 1 else ''}</li>"
            yield "</ul></footer>"


def clean(words: str) -> str:
    """Return text for HTML: escaped, without control characters except line breaks and tabs."""
    words = words.replace("\r\n", "\n").replace("\r", "\n")
    return escape("".join(letter for letter in words if letter.isprintable() or letter in "\n\t\u200e\u200f "))
