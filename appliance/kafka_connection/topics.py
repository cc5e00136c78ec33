"""The contract's topics, by the names that the configuration uses for them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from appliance.model.cloud import ACCESS_TOPIC, IMAGE_TOPIC, LOG_TOPIC, STATE_TOPIC, STORAGE_TOPIC, TRANSCODE_TOPIC
from appliance.model.routes import ACCESS, TRANSCODE

TOPIC_NAMES: Mapping[str, str] = MappingProxyType({
    "state": STATE_TOPIC,
    "image": IMAGE_TOPIC,
    "log": LOG_TOPIC,
    "storage": STORAGE_TOPIC,
    TRANSCODE: TRANSCODE_TOPIC,
    ACCESS: ACCESS_TOPIC,
})  # fmt: skip
