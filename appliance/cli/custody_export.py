"""The export of chains of custody: CSV with columns that do not change, or one JSON object a line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TextIO

from appliance.archive.chains import Chain, SinkFacts
from appliance.archive.confirmations import BYTES, METADATA
from appliance.archive.gaps import DELIVERED, gaps
from appliance.cli.custody_facts import chain_facts, source
from appliance.cli.output import moment

Writer = Callable[[Iterable[Chain], tuple[SinkFacts, ...], TextIO], None]


def _steps(chain: Chain, *, delivered: bool) -> str:
    return " ".join(
        f"{step.sink}/{step.kind}={moment(step.updated_at) if delivered else step.state}"
        for step in chain.steps
        if (step.state == DELIVERED) is delivered
    )


def _confirmed(chain: Chain, level: str) -> str:
    return " ".join(f"{one.sink}/{one.kind}={moment(one.at)}" for one in chain.confirmations if one.level == level)


def _flag(value: bool) -> str:
    return "true" if value else "false"


# Name -> text of one chain. Only ever added to, at the end: docs/custody.md.
COLUMNS: Mapping[str, Callable[[Chain], str]] = MappingProxyType({
    "study_uid": lambda chain: chain.study_uid,
    "series_uid": lambda chain: chain.series_uid,
    "sop_uid": lambda chain: chain.sop_uid,
    "digest": lambda chain: chain.digest,
    "transfer_syntax_uid": lambda chain: chain.transfer_syntax_uid,
    "standing": lambda chain: chain.standing,
    "door": lambda chain: chain.door,
    "source": source,
    "received_at": lambda chain: moment(chain.received_at) or "",
    "indexed": lambda chain: _flag(chain.indexed),
    "held": lambda chain: _flag(chain.held),
    "delivered": lambda chain: _steps(chain, delivered=True),
    "undelivered": lambda chain: _steps(chain, delivered=False),
    "bytes_confirmed": lambda chain: _confirmed(chain, BYTES),
    "metadata_confirmed": lambda chain: _confirmed(chain, METADATA),
    "contested": lambda chain: _flag(chain.contested),
    "evicted_at": lambda chain: moment(chain.evicted_at) or "",
    "deleted_at": lambda chain: moment(chain.deleted_at) or "",
    "changed_at": lambda chain: moment(chain.changed_at) or "",
})  # fmt: skip
CONFIRMED = "confirmed"
# A spreadsheet takes a cell that begins like this for a formula; an AE title is a sender's own word.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(chains: Iterable[Chain], sinks: tuple[SinkFacts, ...], to: TextIO) -> None:
    """Write a heading and a line per chain; the last column says whether nothing is missing."""
    writer = csv.writer(to, lineterminator="\n")
    writer.writerow((*COLUMNS, CONFIRMED))
    for chain in chains:
        texts = [_harmless(text(chain)) for text in COLUMNS.values()]
        writer.writerow((*texts, _flag(_is_confirmed(chain, sinks))))


def write_json(chains: Iterable[Chain], sinks: tuple[SinkFacts, ...], to: TextIO) -> None:
    """Write a JSON object per chain and line, signed receipts included."""
    for chain in chains:
        values = {**chain_facts(chain), CONFIRMED: _is_confirmed(chain, sinks)}
        to.write(json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n")


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def _is_confirmed(chain: Chain, sinks: tuple[SinkFacts, ...]) -> bool:
    return next(gaps(chain, sinks), None) is None


WRITERS: Mapping[str, Writer] = MappingProxyType({"csv": write_csv, "json": write_json})
