"""Events become contract records: topics, keys, values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance.model.cloud import IMAGE_TOPIC, LOG_TOPIC, STATE_TOPIC, STORAGE_TOPIC
from appliance.sync.envelope import object_path, seal
from appliance.sync.sinks.contract import RowFault
from tests.builders.deliveries import Deliveries


@pytest.fixture
def make(tmp_path: Path) -> Deliveries:
    return Deliveries(tmp_path)


def test_each_kind_goes_to_its_topics(make: Deliveries) -> None:
    assert [e.topic for e in seal(make.state())] == [STATE_TOPIC]
    assert [e.topic for e in seal(make.image())] == [IMAGE_TOPIC]
    assert [e.topic for e in seal(make.object(), "a.dcm")] == [LOG_TOPIC, STORAGE_TOPIC]


def test_the_record_and_its_key_are_those_of_the_event(make: Deliveries) -> None:
    row = make.image()
    envelope = seal(row)[0]
    assert envelope.key == row.message_key
    assert json.loads(envelope.value) == json.loads(row.payload)


def test_a_value_is_one_line_of_utf8_whatever_the_text(make: Deliveries) -> None:
    text = "a\nb\r\u2028 漢字 \0"
    value = seal(make.state(payload=json.dumps({"study_description": text})))[0].value
    assert b"\n" not in value
    assert b"\r" not in value
    assert "漢字".encode() in value
    assert json.loads(value) == {"study_description": text}


def test_an_object_record_gets_its_place_at_the_destination(make: Deliveries) -> None:
    value = json.loads(seal(make.object(), "objects/x.dcm")[0].value)
    assert value["file_path"] == "objects/x.dcm"


def test_a_fault_does_not_quote_the_record(make: Deliveries) -> None:
    with pytest.raises(RowFault) as caught:
        seal(make.state(payload='{"patient_name": "Doe^Jane"'))
    assert "Doe" not in str(caught.value)


def test_an_objects_path_is_made_of_uids_only(make: Deliveries) -> None:
    row = make.object()
    assert object_path(row) == f"default/{row.study_uid}/{row.series_uid}/{row.sop_uid}.dcm"
    for uid in ("..", "1.2/../3", "", "1.2\0", "١.٢"):
        with pytest.raises(RowFault):
            object_path(make.object(sop_uid=uid))
