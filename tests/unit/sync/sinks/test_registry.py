"""Kinds of sinks by their configured name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from appliance.config.sinks import ENTRIES
from appliance.sync.sinks.directory import DirectorySink
from appliance.sync.sinks.kafka_options import KafkaOptions
from appliance.sync.sinks.memory import MemorySink
from appliance.sync.sinks.registry import KINDS, DirectoryOptions, MemoryOptions, build
from appliance.sync.sinks.stow_options import StowOptions
from tests.builders.deliveries import Deliveries

HEAVY = ("kafka", "appliance.dicomweb.client", "paho")


def test_the_configuration_knows_exactly_the_kinds_there_are() -> None:
    assert set(ENTRIES) == set(KINDS)


def test_building_touches_nothing(tmp_path: Path) -> None:
    root = tmp_path / "outbound"
    assert isinstance(build(DirectoryOptions(root, create=True)), DirectorySink)
    assert not root.exists()
    build(KafkaOptions(("kafka.invalid:9092",), "site-1")).close()
    build(StowOptions("https://pacs.invalid/dicom-web", token_file=tmp_path / "absent")).close()


def test_a_configured_memory_sink_keeps_nothing(tmp_path: Path) -> None:
    sink = build(MemoryOptions())
    assert isinstance(sink, MemorySink)
    files = Deliveries(tmp_path)
    assert set(sink.deliver(files.instance()).values()) == {None}
    assert not sink.envelopes
    assert not sink.objects


def test_a_box_without_kafka_or_stow_loads_neither_client() -> None:
    program = "import sys, appliance.sync.main; print([name for name in sys.argv[1:] if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program, *HEAVY], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
