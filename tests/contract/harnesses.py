"""How the Sink suite makes each sink, looks at its destination, breaks it and mends it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from appliance.sync.sinks.contract import Misconfigured, Sink, Unreachable
from appliance.sync.sinks.directory import DirectorySink
from appliance.sync.sinks.memory import MemorySink
from tests.builders.deliveries import GROUP2


class Harness(Protocol):
    """One kind of sink and its destination."""

    sink: Sink

    def restart(self) -> None:
        """Replace the sink as a new process would; what is durable stays."""

    def records(self, topic: str) -> list[dict[str, Any]]:
        """The topic's records in the order a consumer sees them."""

    def objects(self) -> dict[str, str]:
        """SHA-256 of the data set by `<tenant>/<study>/<series>/<sop>.dcm`."""

    def cut(self) -> None:
        """Make the destination unreachable."""

    def spoil(self) -> None:
        """Make the destination misconfigured."""

    def mend(self) -> None:
        """Make it work again."""


class DirectoryHarness:
    """A directory; it is "cut" by a disk that fails at every open."""

    def __init__(self, tmp_path: Path, monkeypatch: Any) -> None:
        self.root = tmp_path / "outbound"
        self.root.mkdir()
        self._patches = monkeypatch
        self.sink: Sink = DirectorySink(self.root)

    def restart(self) -> None:
        """The lock must be free, as the kernel frees a dead process's."""
        self.sink.close()
        self.sink = DirectorySink(self.root)

    def records(self, topic: str) -> list[dict[str, Any]]:
        """Whole lines of every file in turn."""
        found = []
        for path in sorted((self.root / topic).glob("*.jsonl")):
            text = path.read_bytes()
            assert not text or text.endswith(b"\n"), "a torn line"
            found += [json.loads(line) for line in text.decode().splitlines()]
        return found

    def objects(self) -> dict[str, str]:
        """Files behind our group 2."""
        base = self.root / "objects"
        found = {}
        for path in base.rglob("*.dcm"):
            data = path.read_bytes()
            assert data.startswith(GROUP2)
            found[str(path.relative_to(base))] = hashlib.sha256(data[len(GROUP2) :]).hexdigest()
        return found

    def cut(self) -> None:
        """Every open below fails with EIO."""
        self.sink.close()

        def broken(*_: Any) -> int:
            raise OSError(5, "Input/output error")

        self._patches.setattr("appliance.sync.sinks.directory.open_locked", broken)

    def spoil(self) -> None:
        """The directory is gone."""
        self.sink.close()
        self.root.rename(self.root.with_name("elsewhere"))

    def mend(self) -> None:
        """Undo both."""
        self._patches.undo()
        if not self.root.exists():
            self.root.with_name("elsewhere").rename(self.root)


class MemoryHarness:
    """The memory sink, and a drill for outages."""

    def __init__(self, _tmp_path: Path, _monkeypatch: Any) -> None:
        self.memory = MemorySink()
        self.sink: Sink = self.memory

    def restart(self) -> None:
        """It forgets with its process, so the object stays."""
        self.sink.close()

    def records(self, topic: str) -> list[dict[str, Any]]:
        """Envelopes as they came."""
        return [json.loads(e.value) for e in self.memory.envelopes if e.topic == topic]

    def objects(self) -> dict[str, str]:
        """The last digest by path."""
        return dict(self.memory.objects)

    def cut(self) -> None:
        """No connection."""
        self.memory.outage = Unreachable("a drill")

    def spoil(self) -> None:
        """No permission."""
        self.memory.outage = Misconfigured("a drill")

    def mend(self) -> None:
        """The drill is over."""
        self.memory.outage = None


HARNESSES: dict[str, Callable[[Path, Any], Harness]] = {
    "directory": DirectoryHarness,
    "memory": MemoryHarness,
}
