"""Receipts: what the centre has signed for this site, fetched by cursor and taken over as confirmations.

A page is believed as a whole or not at all: one bad signature, one receipt of another site or tenant,
one number out of order, and nothing of it is taken. The cursor only follows numbers that were signed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from appliance.archive.confirmations import REFUSED, Applied, Cursor, Proven
from appliance.clock import Clock
from appliance.dicomweb.client import Refused
from appliance.dicomweb.faults import Stopped
from appliance.errors import ApplianceError, ArchiveError, ArchiveFailed, PeerError
from appliance.logs import get_logger
from appliance.model.receipts import Page, SignedReceipt, parse
from appliance.signatures import Verifier
from appliance.sync.worker import Wish

PAGE_ROWS: Final = 500
LEAST_SECONDS: Final = 1.0
GLANCE_SECONDS: Final = 0.2
# A forged page is asked for again, but ever more rarely.
LONGEST_SECONDS: Final = 600.0
# How stale the moment of the last look may be in the archive; each note of it costs a transaction.
NOTE_MICROSECONDS: Final = 60_000_000
# Answers of a service that is down, busy or behind something that is.
PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})

log = get_logger(__name__)


class Forged(PeerError):
    """A page holds what the centre has not signed for this site: nothing of it is taken."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose receipts are taken."""

    site: str
    tenant: str


class Source(Protocol):
    """Where pages come from, as dicomweb.receipts_client.ReceiptsClient is."""

    def page(self, after: int, limit: int) -> Page:
        """Return the next receipts. Raises PeerError, ConfigurationError."""

    def close(self) -> None:
        """Let go of the connection."""


class Ledger(Protocol):
    """The part of archive.confirmations.Confirmations that is used here."""

    def cursor(self, sink: str) -> Cursor:
        """Return how far receipts have been fetched."""

    def apply(self, sink: str, receipts: Sequence[Proven], *, before: int, after: int) -> Applied | None:
        """Take a page over; None when the cursor has moved."""

    def start_over(self, sink: str, reason: str, *, before: int) -> bool:
        """Void what was confirmed and begin at the first receipt; False when the cursor has moved."""

    def trouble(self, sink: str, reason: str) -> None:
        """Record what hinders."""


@dataclass(frozen=True, slots=True)
class Line:
    """What a poller must know of its sink's deliveries.

    `delivered` says how many rows there were: another number asks for a round soon. `held` says whether the
    sink is paused: it may lead to another place now.
    """

    delivered: Callable[[], int]
    held: Callable[[], bool]


def verified(page: Page, after: int, identity: Identity, keys: Sequence[Verifier]) -> list[Proven]:
    """Return the receipts of a page that was asked for after number `after`. Raises Forged."""
    found, last = [], after
    for signed in page.receipts:
        proven = _verified(signed, identity, keys)
        if proven.receipt.id <= last:
            raise Forged("its numbers are out of order")
        last = proven.receipt.id
        found.append(proven)
    return found


def _verified(signed: SignedReceipt, identity: Identity, keys: Sequence[Verifier]) -> Proven:
    value, signature = signed.text.encode(errors="replace"), signed.signature.encode()
    if not any(key.holds(value, signature) for key in keys):
        raise Forged("a signature does not hold")
    try:
        receipt = parse(signed.text)
    except ValueError as error:
        raise Forged(str(error)) from None
    if (receipt.site, receipt.tenant) != (identity.site, identity.tenant):
        raise Forged("a receipt is of another site or tenant")
    return Proven(receipt, signed.proof)


class Poller:
    """Fetches one sink's receipts, from one thread."""

    def __init__(
        self, sink: str, source: Source, ledger: Ledger, identity: Identity, keys: Callable[[], Sequence[Verifier]],
        line: Line, clock: Clock, interval: float,
    ) -> None:  # fmt: skip
        """Take where receipts come from and go to; `keys` reads the public keys anew, `interval` is in seconds."""
        self.name = sink
        self._source = source
        self._ledger = ledger
        self._identity = identity
        self._keys = keys
        self._line = line
        self._clock = clock
        self._interval = interval
        self._rounds_refused = 0
        self._seen = -1
        self._noted = 0

    def run(self, stop: Wish) -> None:
        """Fetch until the wish to stop. Raises ArchiveFailed."""
        rest = 0.0
        while not self._rested(stop, rest):
            try:
                rest = self.step()
            except ArchiveFailed:
                raise
            except ArchiveError as error:
                log.warning("receipts not recorded", sink=self.name, fault=error.message)
                rest = self._interval
            except Exception as error:  # boundary: a defect here must not end the service of the sink
                log.error("receipts failed", sink=self.name, fault=type(error).__name__)
                log.debug("receipts failed", exc_info=True)
                rest = self._interval
        self._source.close()

    def step(self) -> float:
        """Fetch and take over one page; return after how many seconds the next one is due. Raises ArchiveError."""
        self._seen = self._line.delivered()
        if self._line.held():
            return self._interval
        cursor = self._ledger.cursor(self.name)
        try:
            more = self._round(cursor)
        except Forged as error:
            return self._refuse(cursor, error)
        except Stopped:
            return 0.0
        except ApplianceError as error:
            if isinstance(error, ArchiveError):
                raise
            self._source.close()
            self._obstacle(cursor, error)
            return self._interval
        self._rounds_refused = 0
        return 0.0 if more else self._interval

    def _round(self, cursor: Cursor) -> bool:
        """Fetch a page and take it over; return whether there is more."""
        page = self._source.page(cursor.after, PAGE_ROWS)
        if page.newest < cursor.after:
            self._start_over(cursor, page.newest)
            return False
        proven = verified(page, cursor.after, self._identity, self._keys()) if page.receipts else []
        if not proven:
            self._note(cursor)
            return False
        applied = self._ledger.apply(self.name, proven, before=cursor.after, after=proven[-1].receipt.id)
        if cursor.trouble:
            log.info("receipts fetched again", sink=self.name)
        if applied is not None and applied.unknown:
            log.info("receipts of what this box does not know", sink=self.name, count=applied.unknown)
        return page.more

    def _start_over(self, cursor: Cursor, newest: int) -> None:
        """Begin at the first receipt. `newest` is not signed: made up, it costs fetching again, and nothing else."""
        reason = f"the receiver has gone back from receipt {cursor.after} to {newest}; all are fetched again"
        if self._ledger.start_over(self.name, reason, before=cursor.after):
            log.warning("receipts start over", sink=self.name, after=cursor.after, newest=newest)

    def _note(self, cursor: Cursor) -> None:
        """Note that there was nothing new, not every time."""
        now = self._clock.now()
        if cursor.trouble:
            log.info("receipts fetched again", sink=self.name)
        if cursor.trouble or not 0 <= now - cursor.checked_at < NOTE_MICROSECONDS:
            self._ledger.trouble(self.name, "")

    def _refuse(self, cursor: Cursor, error: Forged) -> float:
        self._source.close()
        reason = f"{REFUSED}{error.message}"
        if cursor.trouble != reason:
            self._ledger.trouble(self.name, reason)
        log.warning("receipts refused", sink=self.name, fault=error.message, after=cursor.after)
        self._rounds_refused += 1
        return float(min(LONGEST_SECONDS, self._interval * 2 ** min(self._rounds_refused, 16)))

    def _obstacle(self, cursor: Cursor, error: ApplianceError) -> None:
        """Record what hinders, once: a line that is down for a week is no news every half minute."""
        reason = error.message
        if cursor.trouble == reason:
            return
        self._ledger.trouble(self.name, reason)
        passing = error.retryable or (isinstance(error, Refused) and error.reply.status in PASSING)
        tell = log.info if passing else log.warning
        tell("receipts not fetched", sink=self.name, fault=error.message)

    def _rested(self, stop: Wish, seconds: float) -> bool:
        """Wait, but only a moment once something was delivered; return whether the end is wished."""
        began = self._clock.monotonic()
        while (waited := self._clock.monotonic() - began) < seconds:
            if waited >= LEAST_SECONDS and not self._rounds_refused and self._line.delivered() != self._seen:
                break
            if stop.wait(min(GLANCE_SECONDS, seconds - waited)):
                return True
        return stop.is_set()
