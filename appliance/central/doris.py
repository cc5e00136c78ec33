"""The Doris target: rows by Stream Load, bad ones found by halving.

Permanence: Doris commits a load as a whole. Success, Publish Timeout and a finished label mean that it is
committed on a quorum of copies. Idempotence: labels where batches repeat, else the keys and the sequence column of
the tables (`doris_schema`). A real Doris was not run: what is kept here is what its documents and sources say,
against a stand-in that imports nothing of ours.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from appliance.central.doris_faults import Verdict, reason, verdict
from appliance.central.doris_labels import label_of
from appliance.central.doris_load import DorisOptions, StreamLoad, Unknown
from appliance.central.tables import FIELDS
from appliance.central.targets import Batch, RowFault, Unavailable
from appliance.logs import get_logger
from appliance.model.records import Value

MOST_ROWS: Final = 5_000
MOST_BYTES: Final = 8 * 10**6
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0

_HEADERS: Final = {
    "format": "json",
    "read_json_by_line": "true",
    # Otherwise Doris would silently keep NULL where a value does not fit its column.
    "strict_mode": "true",
    "max_filter_ratio": "0",
}

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Line:
    """One row as it is sent; `index` is its place in the batch."""

    index: int
    text: bytes


class DorisTarget:
    """Loads batches into the tables of one database. See targets.Target."""

    name = "doris"

    def __init__(
        self,
        options: DorisOptions,
        *,
        stopping: Callable[[], bool] = lambda: False,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        """Open nothing yet. `wait` passes the seconds between two questions for one label; a set Stop ends them."""
        self._options = options
        self._load = StreamLoad(options, stopping)
        self._stopping = stopping
        self._wait = wait or threading.Event().wait

    def load(self, batch: Batch) -> Mapping[int, RowFault]:
        """Store the rows; return the faulty ones. See targets.Target for what holds on return, and for errors."""
        faults: dict[int, RowFault] = {}
        try:
            lines = list(_written(batch, faults))
            for part in _parts(lines):
                faults |= self._settle(batch, part, surely_bad=False)
        except BaseException:
            self.close()
            raise
        if faults:
            log.warning("rows refused", table=batch.table, topic=batch.topic, rows=len(faults))
        return faults

    def close(self) -> None:
        """Close the connections. Safe to repeat."""
        self._load.close()

    def _settle(self, batch: Batch, part: Sequence[_Line], *, surely_bad: bool) -> dict[int, RowFault]:
        """Load a part, by halves where a row spoils it. `surely_bad`: one does; loading it whole is no use."""
        if not surely_bad or len(part) == 1:
            done, answer = self._ask(batch, part)
            if done is Verdict.DONE:
                return {}
            if len(part) == 1:
                return {part[0].index: RowFault(self._reason(batch, answer))}
        middle = len(part) // 2
        first = self._settle(batch, part[:middle], surely_bad=False)
        return first | self._settle(batch, part[middle:], surely_bad=not first)

    def _reason(self, batch: Batch, answer: Mapping[str, Any]) -> str:
        """Say why the one row of a load is refused."""
        told = self._load.error_log(answer.get("ErrorURL"))
        # Newer versions say it in the answer itself, and keep their error log elsewhere.
        told = told or f"{answer.get('FirstErrorMsg', '')} {answer.get('Message', '')}"
        return reason(told, [field.name for field in FIELDS[batch.kind]])

    def _ask(self, batch: Batch, part: Sequence[_Line]) -> tuple[Verdict, Mapping[str, Any]]:
        """Load a part under its label, and ask again under the same one until its fate is known.

        Raises Unavailable when it is not known within `label_wait`, Misdirected.
        """
        body = b"".join(line.text for line in part)
        columns = ",".join(f"`{field.name}`" for field in FIELDS[batch.kind])
        headers = {**_HEADERS, "label": label_of(self._options.cluster, batch, body), "columns": columns}
        place = f"{self._options.database}.{batch.table}"
        give_up, pause = time.monotonic() + self._options.label_wait, FIRST_PAUSE
        while True:
            try:
                answer: Mapping[str, Any] = self._load.put(batch.table, headers, body)
            except Unknown:
                answer = {}
            found = verdict(answer, place)
            if found is not Verdict.AGAIN:
                return found, answer
            if self._stopping() or time.monotonic() + pause > give_up:
                hint = "its label is asked for again; a load that hangs ends by Doris's own timeout"
                raise Unavailable(f"the fate of a load into {place} is not known yet", hint=hint, doubtful=True)
            self._wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


def _written(batch: Batch, faults: dict[int, RowFault]) -> Iterator[_Line]:
    """Yield the rows as lines of JSON; those that cannot be written go to `faults`."""
    fields = FIELDS[batch.kind]
    for index, row in enumerate(batch.rows):
        values: dict[str, Value] = {field.name: row.get(field.name, field.default) for field in fields}
        try:
            text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        except (TypeError, ValueError):
            faults[index] = RowFault("the row cannot be written as JSON")
            continue
        if len(text) > MOST_BYTES:
            faults[index] = RowFault(f"the row has more than {MOST_BYTES} bytes")
            continue
        yield _Line(index, text)


def _parts(lines: Sequence[_Line]) -> Iterator[Sequence[_Line]]:
    """Yield the lines in parts that fit one load each."""
    part: list[_Line] = []
    size = 0
    for line in lines:
        if part and (len(part) == MOST_ROWS or size + len(line.text) > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(line)
        size += len(line.text)
    if part:
        yield part
