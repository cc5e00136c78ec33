"""The loader's receipts, taken over from PostgreSQL: what is in the databases is confirmed by this receiver, too.

A thread of its own; the door never waits for it. While PostgreSQL is away it asks again later, for ever.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final, Protocol

from appliance.archive.receipts import Confirmed, Receipts
from appliance.central.registry import Registry
from appliance.central.targets import Misdirected, ReceiptRow, Unavailable
from appliance.errors import ArchiveError
from appliance.logs import get_logger
from appliance.model.receipts import METADATA_CONFIRMED

SOURCE: Final = "postgres"
PAGE_ROWS: Final = 500
MOST_SECONDS: Final = 60.0

log = get_logger(__name__)


class ReceiptSource(Protocol):
    """Receipts in an order in which nobody who reads on can miss one."""

    def after(self, seq: int, limit: int) -> list[tuple[int, ReceiptRow]]:
        """Return the next ones above `seq`, in order. Raises Unavailable, Misdirected."""

    def close(self) -> None:
        """Let go of the connection. Safe to repeat."""


class ReceiptImport:
    """Takes over page after page; the cursor moves in the transaction that adds the page."""

    def __init__(self, source: ReceiptSource, receipts: Receipts, registry: Registry, seconds: float) -> None:
        """Nothing happens before `start`; `seconds` lie between two looks at a list that has ended."""
        self._source = source
        self._receipts = receipts
        self._registry = registry
        self._seconds = seconds
        self._up: bool | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="receipt-import", daemon=True)

    @property
    def up(self) -> bool | None:
        """Whether the last look succeeded; None before the first."""
        return self._up

    def start(self) -> None:
        """Take over from now on."""
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """End; a page under way is finished, or comes again. Safe to repeat."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def step(self) -> bool:
        """Take over one page; return whether there may be more. Raises Unavailable, Misdirected, ArchiveError."""
        found = self._source.after(self._receipts.cursor(SOURCE), PAGE_ROWS)
        # A registry that is away, or not filled yet, knows nobody: what is passed by now would never come again.
        names = set(self._registry.names()) if found else set()
        if not names:
            return False
        self._receipts.take_over(SOURCE, self._ours([row for _, row in found], names), found[-1][0])
        return len(found) == PAGE_ROWS

    def check(self) -> None:
        """Start over where the list has gone back: PostgreSQL was restored from an older copy, or made anew.

        The last row that was taken over keeps its number until it gets a higher one. Raises as `step` does.
        """
        last = self._receipts.cursor(SOURCE)
        if last and not self._source.after(last - 1, 1):
            log.warning("the loader's receipts have gone back; they are taken over from the beginning", after=last)
            self._receipts.start_over(SOURCE)

    def _ours(self, rows: Sequence[ReceiptRow], names: set[str]) -> list[Confirmed]:
        """Return what is about sites that are known here, under their own tenant; the rest is nobody's business."""
        return [_confirmed(row) for row in rows if row.site in names and self._is_of_tenant(row)]

    def _is_of_tenant(self, row: ReceiptRow) -> bool:
        site = self._registry.find(row.site)
        # A file that cannot be read at this moment must not cost its site a receipt: it is served to nobody else.
        return site is None or site.tenant == row.tenant

    def _run(self) -> None:
        wait = self._seconds
        while not self._stop.wait(0 if self._look() else wait):
            wait = self._seconds if self._up else min(2 * wait, MOST_SECONDS)
        self._source.close()

    def _look(self) -> bool:
        try:
            if not self._up:
                self.check()
            more = self.step()
        except (Unavailable, Misdirected, ArchiveError) as error:
            if self._up is not False:
                log.warning("receipts of the loader cannot be read", reason=error.message, hint=error.hint)
            self._up = False
            return False
        if self._up is not True:
            log.info("receipts of the loader are read")
        self._up = True
        return more


def _confirmed(row: ReceiptRow) -> Confirmed:
    return Confirmed(
        row.site, row.tenant, METADATA_CONFIRMED, row.study_uid, row.series_uid, row.sop_uid, row.digest,
        row.transfer_syntax_uid, row.revision, row.at,
    )  # fmt: skip
