"""Rows made ready for Kafka."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from appliance.sync.sinks.contract import Answer, RowFault
from appliance.sync.sinks.kafka_options import KafkaOptions
from appliance.sync.sinks.kafka_parcels import GROUP_BYTES, grouped, halves, pack, topic_names
from tests.builders.deliveries import Deliveries


def _options(**values: Any) -> KafkaOptions:
    return KafkaOptions(("broker:9092",), "site-1", **values)


@pytest.mark.parametrize(
    ("profile", "topics"),
    [
        ("ours", ("dicom_state_queue", "dicom_image_queue", "dicom_transcode_queue", "webapi_access_queue")),
        ("upstream", ("dicom_state_queue", "dicom_image_queue", "webapi_access_queue")),
        (
            "direct",
            ("dicom_state_queue", "dicom_image_queue", "log_queue", "storage_queue", "webapi_access_queue"),
        ),
        ("receiver", ("log_queue", "storage_queue", "webapi_access_queue")),
    ],
)
def test_each_profile_has_its_topics(profile: str, topics: tuple[str, ...]) -> None:
    assert topic_names(_options(profile=profile)) == topics
    assert topic_names(_options(profile=profile, access_records=False)) == topics[:-1]
    told = tuple(topic for topic in topics if topic != "dicom_transcode_queue")
    assert topic_names(_options(profile=profile, transcode_records=False)) == told


def test_topics_may_have_other_names(tmp_path: Path) -> None:
    options = _options(profile="direct", topics={"state": "a", "storage": "b"})
    assert topic_names(options) == ("a", "dicom_image_queue", "log_queue", "b", "webapi_access_queue")
    answers: dict[int, Answer] = {}
    (parcel,) = pack([Deliveries(tmp_path).state()], options, None, answers)
    assert [message.topic for message in parcel.messages] == ["a"]
    assert not answers


def test_objects_go_last_and_have_two_messages(tmp_path: Path) -> None:
    make = Deliveries(tmp_path)
    stored, state = make.object(), make.state()
    parcels = pack([stored, state], _options(profile="direct"), None, {})
    assert [parcel.event_id for parcel in parcels] == [state.event_id, stored.event_id]
    assert len(parcels[1].messages) == 2


@pytest.mark.parametrize(
    "changes", [{"payload": "no json"}, {"payload": "[]"}, {"kind": "unknown"}, {"kind": "object", "sop_uid": "../x"}]
)
def test_a_row_that_cannot_be_a_message_has_its_fault_and_stops_no_other(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    make = Deliveries(tmp_path)
    good, bad = make.state(), make.image(**changes)
    answers: dict[int, Answer] = {}
    parcels = pack([bad, good], _options(profile="direct"), None, answers)
    assert [parcel.event_id for parcel in parcels] == [good.event_id]
    assert isinstance(answers[bad.event_id], RowFault)


def test_an_object_is_no_business_of_the_profile_ours(tmp_path: Path) -> None:
    row = Deliveries(tmp_path).object()
    answers: dict[int, Answer] = {}
    assert not pack([row], _options(), None, answers)
    assert isinstance(answers[row.event_id], RowFault)


def test_groups_are_closed_at_200_rows_and_a_megabyte(tmp_path: Path) -> None:
    make = Deliveries(tmp_path)
    rows = [make.state(payload=json.dumps({"x": "y" * size})) for size in (GROUP_BYTES, 10, 10, GROUP_BYTES - 30, 10)]
    rows += [make.state() for _ in range(450)]
    parcels = pack(rows, _options(), None, {})
    groups = grouped(parcels)
    assert [parcel for group in groups for parcel in group] == parcels
    assert all(len(group) <= 200 for group in groups)
    assert all(len(group) == 1 or sum(parcel.size for parcel in group) <= GROUP_BYTES for group in groups)
    assert len(groups) <= 8
    assert grouped([]) == []
    assert [list(half) for half in halves(parcels[:3])] == [parcels[:1], parcels[1:3]]
