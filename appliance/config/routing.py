"""From a sink's table to the route the archive queues by."""

from __future__ import annotations

from appliance.config.sinks import CommonEntry, FilterEntry
from appliance.model.routes import PriorityRule, Route, Selection


def route(name: str, entry: CommonEntry) -> Route:
    """Return the route of the sink `name`."""
    rules = (PriorityRule(_selection(rule), rule.priority, rule.older_than_days) for rule in entry.priorities)
    return Route(
        name=name,
        kinds=entry.event_kinds,
        selection=_selection(entry.filter),
        order=entry.order,
        priorities=tuple(rules),
        required=entry.required,
        proof=entry.wants_proof,
        places=entry.places,
        proves=entry.proves,
    )


def _selection(entry: FilterEntry) -> Selection:
    return Selection(entry.modalities, entry.ae_titles, entry.sop_classes)
