"""Routes: what goes to a sink, and in which order. Pure; a route is written into the database as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

STATE = "state"
# What is told of every object.
EVENT_KINDS = (STATE, "image", "object")
# That somebody has read something: of no object, so no filter of objects keeps it back.
ACCESS = "access"
# That an object has pixels which no decoder of the box can read.
TRANSCODE = "transcode"
FIFO = "fifo"
NEWEST = "newest"
DEFAULT_PRIORITY = 5
HURRIED = -1
# Behind every object that waits.
LAST_PRIORITY = 9

_MICROSECONDS = 1_000_000
# Above every number of seconds since 1970 that will ever be met: priorities never mix.
_STEP = 10**12


@dataclass(frozen=True, slots=True)
class Subject:
    """What a route looks at: the object that an event is about, and when its study began to arrive.

    `study_date` is "YYYYMMDD" (the cloud's, so there always is one); `received_at` is in
    microseconds since 1970, UTC.
    """

    modality: str
    ae_title: str
    sop_class_uid: str
    study_date: str
    received_at: int


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects are meant. An empty tuple asks for nothing in particular."""

    modalities: tuple[str, ...] = ()
    ae_titles: tuple[str, ...] = ()
    sop_classes: tuple[str, ...] = ()

    def matches(self, subject: Subject) -> bool:
        """Say whether every condition that is stated holds."""
        return (
            (not self.modalities or subject.modality in self.modalities)
            and (not self.ae_titles or subject.ae_title in self.ae_titles)
            and (not self.sop_classes or subject.sop_class_uid in self.sop_classes)
        )


@dataclass(frozen=True, slots=True)
class PriorityRule:
    """A priority for a selection: 0 goes first, 9 last. `older_than_days` counts from the study date."""

    selection: Selection
    priority: int
    older_than_days: int | None = None

    def applies(self, subject: Subject, now: int) -> bool:
        """Say whether the rule is meant for this object, at `now` in microseconds since 1970."""
        if not self.selection.matches(subject):
            return False
        if self.older_than_days is None:
            return True
        today = datetime.fromtimestamp(now / _MICROSECONDS, UTC)
        return subject.study_date < f"{today - timedelta(days=self.older_than_days):%Y%m%d}"


@dataclass(frozen=True, slots=True)
class Route:
    """One sink's route. `required`: eviction must wait for its proof. `proof`: ask for proof after delivery.

    `places` are the names of where it leads, any of them; they say nothing about what goes there. `proves`:
    what it confirms is proof of the bytes; a directory never can.
    """

    name: str
    kinds: tuple[str, ...] = EVENT_KINDS
    selection: Selection = Selection()
    order: str = FIFO
    priorities: tuple[PriorityRule, ...] = ()
    required: bool = True
    proof: bool = False
    places: tuple[str, ...] = field(default=(), compare=False)
    proves: bool = field(default=False, compare=False)

    def takes(self, kind: str, subject: Subject) -> bool:
        """Say whether an event of `kind` about `subject` goes to this sink."""
        return kind in self.kinds and (kind == ACCESS or self.selection.matches(subject))

    def follows(self, subject: Subject) -> bool:
        """Say whether the states of the series go to this sink, if it takes any instance of it.

        A series has one modality; AE titles and SOP classes differ from instance to instance.
        """
        modalities = self.selection.modalities
        return STATE in self.kinds and (not modalities or subject.modality in modalities)

    def rank(self, subject: Subject, now: int) -> int:
        """Return the place in the queue: smaller goes first, equal ranks go in the order of arrival.

        The first rule that applies gives the priority. Under "newest" a study that began to
        arrive later goes before an earlier one of the same priority.
        """
        rules = (rule.priority for rule in self.priorities if rule.applies(subject, now))
        priority = next(rules, DEFAULT_PRIORITY)
        behind = _STEP - 1 - subject.received_at // _MICROSECONDS if self.order == NEWEST else 0
        return priority * _STEP + behind

    def last_rank(self) -> int:
        """Return a place behind everything that is told of objects."""
        return (LAST_PRIORITY + 1) * _STEP

    def to_json(self) -> str:
        """Return the route, without its places, as JSON text; `from_json` reads it back."""
        values = asdict(self)
        del values["places"]
        return json.dumps(values, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Route:
        """Read what `to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        rules = tuple(
            PriorityRule(_selection(rule["selection"]), rule["priority"], rule["older_than_days"])
            for rule in values.pop("priorities")
        )
        selection = _selection(values.pop("selection"))
        kinds = tuple(values.pop("kinds"))
        return cls(kinds=kinds, selection=selection, priorities=rules, **values)


def _selection(values: dict[str, list[str]]) -> Selection:
    return Selection(**{name: tuple(items) for name, items in values.items()})
