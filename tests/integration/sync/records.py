"""What a consumer of the topics makes of them: records told apart by natural key and revision."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from appliance.archive.outbox import Delivery
from tests.partners.kafka_messages import Message

# Images carry no revision: an instance of other content is announced under the same key again.
UNREVISED = 0

Identity = tuple[str, str, str | None, int]


def identity(row: Delivery) -> Identity:
    """Kind, series, instance and revision of a row."""
    return row.kind, row.series_uid, row.sop_uid, row.revision


def identities(kind: str, messages: Iterable[Message]) -> list[Identity]:
    """The same of each message of a topic, in its order."""
    records = [json.loads(message.value or b"null") for message in messages]
    return [
        (kind, record["series_uid"], record.get("sop_uid"), record.get("revision", UNREVISED)) for record in records
    ]


def assert_ordered(found: Sequence[Identity]) -> None:
    """Fail unless each series, and each image, shows its revisions in order, repeats aside, and the newest last."""
    by_subject: dict[tuple[str, str | None], list[int]] = {}
    for _, series, instance, revision in found:
        by_subject.setdefault((series, instance), []).append(revision)
    for revisions in by_subject.values():
        first_seen = list(dict.fromkeys(revisions))
        assert first_seen == sorted(first_seen)
        assert revisions[-1] == max(revisions)


def header(message: Message) -> Mapping[str, str]:
    """A message's headers by name."""
    return {name: value.decode() for name, value in message.headers}


def texts(values: Iterable[Any]) -> str:
    """Everything an operator may read of errors: messages and hints, on one line."""
    return " ".join(f"{value.message} {value.hint}" for value in values if value is not None)
