"""Kinds of sinks by their configured name."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from appliance.config import SinkEntry
from appliance.errors import ConfigurationError
from appliance.sync.sinks.directory import DirectorySink
from appliance.sync.sinks.memory import MemorySink
from appliance.sync.sinks.registry import KINDS, build
from tests.builders.deliveries import Deliveries


def test_the_configuration_knows_exactly_the_kinds_there_are() -> None:
    assert set(get_args(SinkEntry.model_fields["kind"].annotation)) == set(KINDS)


def test_building_touches_nothing(tmp_path: Path) -> None:
    root = tmp_path / "outbound"
    assert isinstance(build("outbound", "directory", root, create=True), DirectorySink)
    assert not root.exists()


def test_a_configured_memory_sink_keeps_nothing(tmp_path: Path) -> None:
    sink = build("drill", "memory", tmp_path, create=False)
    assert isinstance(sink, MemorySink)
    files = Deliveries(tmp_path)
    assert set(sink.deliver(files.instance()).values()) == {None}
    assert not sink.envelopes
    assert not sink.objects


def test_an_unknown_kind_names_the_key_and_the_mend(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"sync\.sinks\.x\.kind = 'fax'") as caught:
        build("x", "fax", tmp_path, create=False)
    assert caught.value.hint == "use one of: directory, memory"
