"""Chains of custody as plain values: rows for people, a JSON object for scripts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from appliance.archive.chains import Chain, Custodian
from appliance.archive.confirmations import BYTES, METADATA
from appliance.archive.gaps import CURRENT, DELIVERED, Finding
from appliance.archive.room import Archive
from appliance.archive.scope import Scope
from appliance.cli.output import moment, timed
from appliance.model.attributes import Level

SERIES_COLUMNS = ("series_uid", "instances", "held", "delivered", "bytes", "metadata", "state", "deleted")
INSTANCE_COLUMNS = (
    "sop_uid", "standing", "received_at", "source", "digest", "delivered", "bytes", "metadata", "evicted_at",
    "deleted_at",
)  # fmt: skip
TIMES = ("received_at", "evicted_at", "deleted_at", "changed_at")
SHOWN_DIGITS = 12


def series_rows(found: Custodian) -> list[dict[str, Any]]:
    """One row per series: how many of its current instances have each link."""
    rows = []
    for series in found.series:
        chains = [one for one in found.chains if one.series_uid == series.series_uid]
        current = [one for one in chains if one.standing == CURRENT]
        state = "confirmed" if series.confirmed is not None and series.confirmed >= series.told else "-"
        rows.append({
            "series_uid": series.series_uid,
            "instances": len(current),
            "held": _share(current, (one.held for one in current)),
            "delivered": _share(current, (_is_delivered(one) for one in current)),
            "bytes": _share(current, (one.confirmed(BYTES) is not None for one in current)),
            "metadata": _share(current, (one.confirmed(METADATA) is not None for one in current)),
            "state": state if series.told else "-",
            "deleted": sum(one.deleted_at is not None for one in chains),
        })  # fmt: skip
    return rows


def instance_rows(found: Custodian) -> list[dict[str, Any]]:
    """One row per version."""
    return [
        {
            **{name: getattr(chain, name) for name in ("sop_uid", "standing")},
            **{name: moment(getattr(chain, name)) for name in TIMES},
            "source": source(chain),
            "digest": chain.digest[:SHOWN_DIGITS],
            "delivered": ", ".join(f"{step.sink} {step.kind}: {step.state}" for step in chain.steps),
            "bytes": _confirmed(chain, BYTES),
            "metadata": _confirmed(chain, METADATA),
        }
        for chain in found.chains
    ]


def facts(found: Custodian, missing: list[Finding], lines: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Everything, as JSON values; `lines` are the ledger's by SOP Instance UID."""
    return {
        "level": found.scope.level.value,
        "uid": found.scope.uid,
        "confirmed": not missing,
        "missing": [{"what": one.gap.what, "remedy": one.gap.remedy, "count": one.count} for one in missing],
        "sinks": [asdict(sink) for sink in found.sinks],
        "series": [asdict(series) for series in found.series],
        "instances": [chain_facts(chain) | {"ledger": lines.get(chain.sop_uid, [])} for chain in found.chains],
    }


def chain_facts(chain: Chain) -> dict[str, Any]:
    """One chain as JSON values; times are ISO 8601 in UTC."""
    values = asdict(chain)
    values |= {name: moment(values[name]) for name in TIMES}
    values["steps"] = [step | {"updated_at": moment(step["updated_at"])} for step in values["steps"]]
    values["confirmations"] = [one | {"at": moment(one["at"])} for one in values["confirmations"]]
    return values


def ledger(archive: Archive, scope: Scope) -> dict[str, list[dict[str, Any]]]:
    """The ledger's lines by SOP Instance UID, oldest first."""
    lines: dict[str, list[dict[str, Any]]] = {}
    for uid in scope.studies if scope.level is Level.SERIES else (scope.uid,):
        for row in archive.custody.of(uid):
            values = timed(row)
            line = {name: values[name] for name in ("fact", "party", "detail", "digest")}
            lines.setdefault(values["sop_uid"], []).append(line | {"at": moment(values["at"])})
    return lines


def source(chain: Chain) -> str:
    """Who sent it."""
    return f"{chain.source_ae}@{chain.source_address}" if chain.source_address else chain.source_ae


def _is_delivered(chain: Chain) -> bool:
    return all(step.state == DELIVERED for step in chain.steps if step.required)


def _share(of: list[Chain], those: Iterable[bool]) -> str:
    return f"{sum(those)}/{len(of)}"


def _confirmed(chain: Chain, level: str) -> str:
    found = [one for one in chain.confirmations if one.level == level]
    return ", ".join(f"{one.sink} {moment(one.at)} ({one.kind})" for one in found)
