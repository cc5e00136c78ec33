"""What the log says of settled deliveries: a line per batch, and a line per row where one was given up.

`traceparent` and `trace_id` join these lines with those of the door, and with the headers of what was sent.
"""

from __future__ import annotations

from collections.abc import Sequence

from appliance.archive.outbox import Delivery, Outcome, Verdict
from appliance.logs import get_logger, writes_debug

# A batch of many associations must not make a line of many kilobytes.
MOST_TRACES = 8

log = get_logger(__name__)


def tell(sink: str, deliveries: Sequence[Delivery], outcomes: Sequence[Outcome]) -> None:
    """Write what became of the rows of one batch. Reasons carry no patient data, the rows' UIDs do not either."""
    rows = {row.event_id: row for row in deliveries}
    delivered = [rows[each.event_id] for each in outcomes if each.verdict is Verdict.DELIVERED]
    if delivered:
        traces = list(dict.fromkeys(row.traceparent for row in delivered if row.traceparent))
        log.info("delivered", sink=sink, rows=len(delivered), traceparents=traces[:MOST_TRACES])
        if writes_debug(__name__):
            for row in delivered:
                log.debug("delivered", sink=sink, **_facts(row))
    for outcome in outcomes:
        if outcome.verdict is Verdict.DEAD:
            log.warning("dead letter", sink=sink, reason=outcome.reason, **_facts(rows[outcome.event_id]))


def _facts(row: Delivery) -> dict[str, object]:
    names = ("event_id", "kind", "study_uid", "series_uid", "sop_uid", "trace_id", "traceparent")
    return {name: getattr(row, name) for name in names}
