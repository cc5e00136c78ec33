"""Receipts of metadata, kept in PostgreSQL in an order in which nobody who reads on can miss one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from appliance.central.postgres_link import PostgresLink, PostgresSettings
from appliance.central.postgres_rows import Writer, numbered
from appliance.central.postgres_schema import VERSION
from appliance.central.postgres_tables import CHECK_RECEIPTS, INSERT_RECEIPTS, READ_RECEIPTS
from appliance.central.targets import ReceiptRow
from appliance.logs import get_logger
from appliance.model.receipts import METADATA_CONFIRMED

# Held until the commit is visible: numbers are given out in the order in which they can be seen.
ORDER: Final = 0x45444745_0002

log = get_logger(__name__)


class PostgresReceipts:
    """The table edge_receipt (see targets.ReceiptBook). One thread at a time uses it.

    A state's receipt of a higher revision takes the place of the former one, with a new number; one of
    the same revision changes nothing.
    """

    def __init__(self, settings: PostgresSettings) -> None:
        """Take how the database is reached; nothing is opened yet."""
        self._link = PostgresLink(settings, VERSION)

    def write(self, rows: Sequence[ReceiptRow]) -> None:
        """Keep the receipts; durable on return, and safe to repeat. Raises Unavailable, Misdirected.

        A receipt that cannot be kept is left out and told of in the log: it stops no other.
        """
        if not rows:
            return
        writer = Writer("edge_receipt", INSERT_RECEIPTS, CHECK_RECEIPTS)
        with self._link.transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (ORDER,))
            _, faults = writer.write(connection, [numbered(at, _document(row)) for at, row in enumerate(rows)])
        for fault in faults.values():
            log.warning("receipt left out", reason=fault.reason)

    def close(self) -> None:
        """Let go of the connection. Safe to repeat."""
        self._link.close()


class PostgresReceiptSource:
    """What the receiver reads the receipts from, by their numbers. One thread at a time uses it."""

    def __init__(self, settings: PostgresSettings) -> None:
        """Take how the database is reached; nothing is opened yet."""
        self._link = PostgresLink(settings, VERSION)

    def after(self, seq: int, limit: int) -> list[tuple[int, ReceiptRow]]:
        """Return the next receipts above `seq` with their numbers, in order. Raises Unavailable, Misdirected.

        A number that was returned once is never followed by a lower one that is new.
        """
        with self._link.transaction() as connection:
            found = connection.execute(READ_RECEIPTS, (seq, limit)).fetchall()
        return [(row[0], ReceiptRow(row[1], row[2], *row[4:])) for row in found]

    def close(self) -> None:
        """Let go of the connection. Safe to repeat."""
        self._link.close()


def _document(row: ReceiptRow) -> dict[str, Any]:
    return {
        "site": row.site,
        "tenant_id": row.tenant,
        "level": METADATA_CONFIRMED,
        "study_uid": row.study_uid,
        "series_uid": row.series_uid,
        "sop_uid": row.sop_uid,
        "digest": row.digest,
        "transfer_syntax_uid": row.transfer_syntax_uid,
        "revision": row.revision,
        "at": row.at,
    }
