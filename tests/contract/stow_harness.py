"""The STOW sink in the suite that holds every sink to its promises."""

from __future__ import annotations

import hashlib
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from appliance.archive.outbox import Delivery
from appliance.sync.sinks.contract import Answer, RowFault, Sink
from appliance.sync.sinks.stow import StowSink
from appliance.sync.sinks.stow_batches import pack
from appliance.sync.sinks.stow_options import StowOptions
from tests.builders.deliveries import GROUP2
from tests.partners.dicom_store import DicomStore, Reply


class StowHarness:
    """A store in this process. The suite's files hold no UIDs, so it is told which come next."""

    takes: frozenset[str] = frozenset({"object"})
    topics: tuple[str, ...] = ()
    keeps_objects: bool = True

    def __init__(self, tmp_path: Path, _monkeypatch: Any, ask: Callable[[str], Any]) -> None:
        self._store = DicomStore(tmp_path / "store")
        ask("request").addfinalizer(self._store.close)
        self._coming: dict[str, deque[str]] = defaultdict(deque)
        self._store.identify = self._identify
        self.sink: Sink = self._new()

    def restart(self) -> None:
        """A new session."""
        self.sink.close()
        self.sink = self._new()

    def records(self, topic: str) -> list[dict[str, Any]]:
        """None: records go elsewhere."""
        return []

    def objects(self) -> dict[str, str]:
        """Files behind our group 2."""
        found = {}
        for uid, path in self._store.objects.items():
            data = path.read_bytes()
            assert data.startswith(GROUP2)
            series = uid.rpartition(".")[0]
            name = f"default/{series.rpartition('.')[0]}/{series}/{uid}.dcm"
            found[name] = hashlib.sha256(data[len(GROUP2) :]).hexdigest()
        return found

    def cut(self) -> None:
        """The store hangs up on everybody."""
        self._store.rule = lambda _: Reply("reset")
        self._store.before_read = lambda _: Reply("reset")

    def spoil(self) -> None:
        """The store knows us no more."""
        self._store.rule = lambda _: Reply(401)

    def mend(self) -> None:
        """Undo both."""
        self._store.rule = lambda _: None
        self._store.before_read = lambda _: None

    def _new(self) -> Sink:
        options = StowOptions(url=self._store.url, connect_timeout=2, read_timeout=2)
        return _Telling(StowSink(options), self._coming)

    def _identify(self, path: Path) -> str:
        names = self._coming[hashlib.sha256(path.read_bytes()).hexdigest()]
        names.rotate(-1)  # a request that comes again finds them in the same order
        return names[-1]


class _Telling:
    """Passes batches on, and notes which instances are about to arrive under which bytes."""

    def __init__(self, sink: Sink, coming: dict[str, deque[str]]) -> None:
        self._sink = sink
        self._coming = coming

    def deliver(self, batch: Sequence[Delivery]) -> Mapping[int, Answer]:
        """Note, then deliver."""
        self._coming.clear()
        for row in batch:
            with suppress(RowFault):
                parcel = pack(row)
                digest = hashlib.sha256(parcel.instance.path.read_bytes()).hexdigest()
                self._coming[digest].append(parcel.sop_uid)
        return self._sink.deliver(batch)

    def close(self) -> None:
        """Close the sink."""
        self._sink.close()
