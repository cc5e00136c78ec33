"""Small pictures and documents that go with an export, for PCs without a DICOM viewer. Made while they are sent."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from types import MappingProxyType
from typing import Any, Final

from appliance.archive.reading import StoredInstance
from appliance.archive.search import Found
from appliance.codec.faults import COSTLY, CodecFault
from appliance.codec.outcome import Outcome
from appliance.web import papers
from appliance.web.kinds import Kind, kind_of
from appliance.web.prepared_frames import source_of

FOLDER: Final = "PREVIEW"
MOST_PICTURES: Final = 300
MOST_SECONDS: Final = 120.0
MOST_COSTLY: Final = 3
EDGE: Final = 1024
QUALITY: Final = 85
_LINK: Final = re.compile(r"</?a\b[^>]*>")

FileIds = Mapping[str, tuple[str, ...]]
Run = Callable[..., Outcome]


@dataclass(frozen=True, slots=True)
class Preview:
    """One file: its path on the medium and what it shows."""

    path: str
    kind: Kind
    number: int | None


@dataclass
class Sheet:
    """One series: what came of it, and how many of its objects could have a preview."""

    words: str
    modality: str
    count: int = 0
    previews: list[Preview] = field(default_factory=list)


def _picture(run: Run, instance: StoredInstance, row: Found) -> bytes:
    large = max(int(row["Rows"] or 0), int(row["Columns"] or 0)) > EDGE
    arguments: dict[str, Any] = {"frame": 0, "quality": QUALITY, **({"viewport": [EDGE, EDGE]} if large else {})}
    return bytes(run("render", source_of(instance), arguments).data)


def _report(run: Run, instance: StoredInstance, _: Found) -> bytes:
    outcome = run("report", source_of(instance), {"root": ""})
    fragment = _LINK.sub("", outcome.data.decode("utf-8", "replace"))  # they lead to the appliance
    return papers.page(str(outcome.facts.get("title", "Report")), fragment).encode()


def _as_it_is(operation: str) -> Callable[[Run, StoredInstance, Found], bytes]:
    return lambda run, instance, _: bytes(run(operation, source_of(instance), {}).data)


_MADE: Final[Mapping[Kind, tuple[str, Callable[[Run, StoredInstance, Found], bytes]]]] = MappingProxyType({
    Kind.IMAGE: ("JPG", _picture),
    Kind.REPORT: ("HTM", _report),
    Kind.PDF: ("PDF", _as_it_is("document")),
    Kind.WAVEFORM: ("SVG", _as_it_is("waveform")),
})  # fmt: skip


class Previews:
    """The previews of one export; `sheets` is filled while `members` is gone through.

    `run` is the codec's. No more than MOST_PICTURES, spread over the series, and nothing after MOST_SECONDS
    or MOST_COSTLY lost decoders; what cannot be drawn is left out.
    """

    def __init__(
        self, run: Run, held: Sequence[StoredInstance], files: FileIds, rows: Mapping[str, Found],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.sheets: list[Sheet] = []
        self._run = run
        self._files = files
        self._rows = rows
        self._series = [list(members) for _, members in groupby(held, lambda one: one.series_uid)]
        self._monotonic = monotonic
        self._until = monotonic() + MOST_SECONDS
        self._costly = 0

    def members(self) -> Iterator[tuple[str, Iterable[bytes]]]:
        """Yield (path, bytes) of every preview that could be made."""
        share = max(1, MOST_PICTURES // max(1, len(self._series)))
        for series in self._series:
            first = self._rows[series[0].sop_uid]
            sheet = Sheet(str(first["SeriesDescription"] or ""), str(first["Modality"] or ""))
            shown = [one for one in series if kind_of(self._rows[one.sop_uid]) in _MADE]
            sheet.count = len(shown)
            self.sheets.append(sheet)
            for instance in spread(shown, share):
                yield from self._made(sheet, instance)

    def _made(self, sheet: Sheet, instance: StoredInstance) -> Iterator[tuple[str, Iterable[bytes]]]:
        if self._monotonic() > self._until or self._costly >= MOST_COSTLY:
            return
        row = self._rows[instance.sop_uid]
        kind = kind_of(row)
        ending, make = _MADE[kind]
        try:
            data = make(self._run, instance, row)
        except CodecFault as fault:
            self._costly += fault.kind in COSTLY
            return
        except OSError:
            return  # the file itself, further up on the medium, is what tells of it
        if data:
            path = "/".join((FOLDER, *self._files[instance.sop_uid][1:])) + f".{ending}"
            number = row["InstanceNumber"]
            sheet.previews.append(Preview(path, kind, None if number is None else int(number)))
            yield path, (data,)


def spread(instances: Sequence[StoredInstance], most: int) -> list[StoredInstance]:
    """Return no more than `most`, evenly spaced from the first to the last."""
    if len(instances) <= most:
        return list(instances)
    if most == 1:
        return [instances[len(instances) // 2]]
    last = len(instances) - 1
    return [instances[round(place * last / (most - 1))] for place in range(most)]
