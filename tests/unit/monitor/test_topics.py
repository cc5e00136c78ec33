"""Topics and messages, as the contract with central IT names them."""

from __future__ import annotations

import json

import pytest

from appliance.monitor.topics import Topics

TOPICS = Topics.of("edge/v1", "clinic-7")


def test_the_topics_of_a_site() -> None:
    assert (TOPICS.status, TOPICS.health) == ("edge/v1/clinic-7/status", "edge/v1/clinic-7/health")


def test_the_status_is_retained_and_confirmed_the_health_is_neither() -> None:
    status, health = TOPICS.status_message({"a": 1}), TOPICS.health_message({"b": None})
    assert (status.topic, status.qos, status.retain) == (TOPICS.status, 1, True)
    assert (health.topic, health.qos, health.retain) == (TOPICS.health, 0, False)
    assert json.loads(status.payload) == {"a": 1} and json.loads(health.payload) == {"b": None}


def test_what_json_cannot_carry_is_not_sent() -> None:
    with pytest.raises(ValueError, match="JSON"):
        TOPICS.health_message({"hours": float("inf")})
