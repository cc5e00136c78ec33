"""Gaps: what is missing in a chain of custody, the earliest link first, and what to do about it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from appliance.archive.chains import Chain, Custodian, SeriesChain, SinkFacts
from appliance.archive.confirmations import BYTES, METADATA

CURRENT = "current"
DELIVERED = "delivered"
ON_THE_WAY = ("pending", "leased")


@dataclass(frozen=True, slots=True)
class Gap:
    """One kind of missing link. `rank` orders them along the chain; neither text carries patient data."""

    rank: int
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A gap and how many instances (or series) have it."""

    gap: Gap
    count: int


def findings(custodian: Custodian) -> list[Finding]:
    """Return every kind of gap, the earliest in the chain first; an empty list says that all is confirmed.

    What was deleted or superseded is nobody's duty any more.
    """
    counts = Counter(gap for chain in custodian.chains for gap in gaps(chain, custodian.sinks))
    if any(sink.receipts for sink in custodian.sinks):
        counts.update(gap for series in custodian.series for gap in _of_series(series))
    return [Finding(gap, counts[gap]) for gap in sorted(counts, key=lambda gap: (gap.rank, gap.what))]


def gaps(chain: Chain, sinks: tuple[SinkFacts, ...]) -> Iterator[Gap]:
    """Yield what is missing of one version, each gap once."""
    if chain.standing == "contested":
        yield Gap(0, "contents wait for a choice", "see: appliance conflict list")
    if chain.standing != CURRENT:
        return
    if not chain.held and chain.evicted_at is None:
        yield Gap(1, "the bytes are not on this box", "have it sent again")
    yield from _deliveries(chain)
    yield from _bytes(chain, sinks)
    yield from _metadata(chain, sinks)


def _deliveries(chain: Chain) -> Iterator[Gap]:
    seen = set()
    for step in chain.steps:
        if not step.required or step.state == DELIVERED or (step.sink, step.state) in seen:
            continue
        seen.add((step.sink, step.state))
        if step.state in ON_THE_WAY:
            yield Gap(2, f"not yet at {step.sink}", f"wait, or see: appliance outbox list --sink {step.sink}")
        elif step.state == "dead":
            yield Gap(3, f"a dead letter for {step.sink}", f"see: appliance dead list --sink {step.sink}")
        else:
            yield Gap(4, f"given up for {step.sink}", f"see: appliance outbox list --sink {step.sink} --state buried")


def _bytes(chain: Chain, sinks: tuple[SinkFacts, ...]) -> Iterator[Gap]:
    facts = {sink.name: sink for sink in sinks}
    for step in chain.steps:
        if step.kind != "object" or not step.required or chain.confirmed(BYTES, step.sink) is not None:
            continue
        sink = facts.get(step.sink)
        if sink is None or not sink.proof:
            remedy = f"set sync.sinks.{step.sink}.verify where it can be set, or its required to false"
            yield Gap(6, f"{step.sink} is never asked for proof of the bytes", remedy)
        elif step.state == DELIVERED:
            remedy = f"its receipts are not taken: {sink.trouble}" if sink.trouble else "wait for its proof"
            yield Gap(5, f"the bytes are not confirmed by {step.sink}", remedy)
    if chain.confirmed(BYTES) is None and not any(step.kind == "object" and step.required for step in chain.steps):
        yield Gap(7, "no required sink takes the bytes", "see docs/forwarding.md")


def _metadata(chain: Chain, sinks: tuple[SinkFacts, ...]) -> Iterator[Gap]:
    """Where receipts are fetched and the record has been sent, the centre says when its databases have it."""
    told = any(step.kind == "image" and step.state == DELIVERED for step in chain.steps)
    if told and any(sink.receipts for sink in sinks) and chain.confirmed(METADATA) is None:
        yield Gap(8, "the image record is not confirmed by the centre", "wait for its loader")


def _of_series(series: SeriesChain) -> Iterator[Gap]:
    if series.told and (series.confirmed is None or series.confirmed < series.told):
        yield Gap(9, "the newest state of a series is not confirmed by the centre", "wait for its loader")
