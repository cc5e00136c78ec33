"""The kinds of sinks, by the name the configuration uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from appliance.errors import ConfigurationError
from appliance.sync.sinks.contract import Sink
from appliance.sync.sinks.directory import DirectorySink
from appliance.sync.sinks.memory import MemorySink

Build = Callable[[Path, bool], Sink]

KINDS: Mapping[str, Build] = MappingProxyType({
    "directory": lambda path, create: DirectorySink(path, create=create),
    "memory": lambda _path, _create: MemorySink(kept=0),
})  # fmt: skip


def build(name: str, kind: str, path: Path, *, create: bool) -> Sink:
    """Return the sink `name`; nothing outside the process is touched before its first delivery.

    `create`: its directory is the appliance's own and may be made. Raises ConfigurationError.
    """
    builder = KINDS.get(kind)
    if builder is None:
        hint = f"use one of: {', '.join(sorted(KINDS))}"
        raise ConfigurationError(f"sync.sinks.{name}.kind = {kind!r} is not known", hint=hint)
    return builder(path, create)
