"""The kinds of sinks, by the name the configuration uses.

What a kind needs is imported when one is built: a box without Kafka never loads its client.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from appliance.sync.sinks.contract import Sink
from appliance.sync.sinks.kafka_options import KafkaOptions
from appliance.sync.sinks.memory import MemorySink
from appliance.sync.sinks.stow_options import StowOptions


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a sink may ask of the room it works in.

    `stopping` says whether the room wants to end. `pace` is told the bytes on their way by sinks
    whose single objects may be huge, and may take its time.
    """

    stopping: Callable[[], bool] = lambda: False
    pace: Callable[[int], None] = lambda _size: None


@dataclass(frozen=True, slots=True)
class DirectoryOptions:
    """Where a directory sink writes. `create`: its root is the appliance's own and may be made.

    On the file system of `beside` it leaves the last `floor_bytes` alone: the archive needs them
    to record its deliveries.
    """

    root: Path
    create: bool = False
    beside: Path | None = None
    floor_bytes: int = 0


@dataclass(frozen=True, slots=True)
class MemoryOptions:
    """A memory sink keeps nothing."""


def _directory(options: DirectoryOptions, _room: Surroundings) -> Sink:
    from appliance.sync.sinks.directory import DirectorySink

    return DirectorySink(options.root, create=options.create, beside=options.beside, floor_bytes=options.floor_bytes)


def _kafka(options: KafkaOptions, room: Surroundings) -> Sink:
    from appliance.sync.sinks.kafka import KafkaSink

    return KafkaSink(options, room.stopping)


def _memory(_options: MemoryOptions, _room: Surroundings) -> Sink:
    return MemorySink(kept=0)


def _stow(options: StowOptions, room: Surroundings) -> Sink:
    from appliance.sync.sinks.stow import StowSink

    return StowSink(options, room.pace, room.stopping)


Options = DirectoryOptions | KafkaOptions | MemoryOptions | StowOptions

KINDS: Mapping[str, tuple[type[Options], Callable[[Any, Surroundings], Sink]]] = MappingProxyType({
    "directory": (DirectoryOptions, _directory),
    "kafka": (KafkaOptions, _kafka),
    "memory": (MemoryOptions, _memory),
    "stow": (StowOptions, _stow),
})  # fmt: skip

_BUILDERS: Mapping[type[Options], Callable[[Any, Surroundings], Sink]] = MappingProxyType(dict(KINDS.values()))


def build(options: Options, room: Surroundings | None = None) -> Sink:
    """Return a sink; nothing outside the process is touched before its first delivery."""
    return _BUILDERS[type(options)](options, room or Surroundings())
