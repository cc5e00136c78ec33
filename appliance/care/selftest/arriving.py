"""Whether the canary came to each sink, and whether the sink proves it: steps that wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Event

from appliance.archive.chains import Chain
from appliance.archive.confirmations import BYTES
from appliance.archive.room import Archive
from appliance.care.selftest.step import Ended, Outcome
from appliance.config import Settings, StowEntry
from appliance.dicomweb.client import DicomwebClient
from appliance.sync.main import options_of
from appliance.sync.sinks.stow_options import StowOptions

LOOK_SECONDS = 0.2
DELIVERED = "delivered"
LOST = ("dead", "buried")


@dataclass(frozen=True)
class Arrivals:
    """Looks at one study's deliveries. `deadline` is on the monotonic clock."""

    settings: Settings
    archive: Archive
    study_uid: str
    deadline: float
    environ: Mapping[str, str]
    as_caller: Callable[[], AbstractContextManager[None]]

    def delivered(self, sink: str) -> str:
        """Wait until everything of the study is at a sink; return how much. Raises Ended."""
        self._refuse_hopeless(sink)
        while True:
            states = [step.state for chain in self._chains() for step in chain.steps if step.sink == sink]
            if not states:
                raise Ended(Outcome.SKIPPED, "its kind or filter takes nothing of this study")
            if lost := [state for state in states if state in LOST]:
                raise Ended(
                    Outcome.FAILED,
                    f"{len(lost)} of {len(states)} are {lost[0]}",
                    f"appliance outbox list --sink {sink}",
                )
            if all(state == DELIVERED for state in states):
                return f"{len(states)} delivered"
            missing = sum(state != DELIVERED for state in states)
            self._wait(sink, f"{missing} of {len(states)} have not been delivered")

    def confirmed(self, sink: str) -> str:
        """Say how a sink proves that it has the study, and wait for it. Raises Ended."""
        entry = self.settings.sync.sinks[sink]
        if not isinstance(entry, StowEntry):
            raise Ended(Outcome.UNPROVEN, f"delivered, not provable: a {entry.kind} sink is believed its word")
        if not any(step.sink == sink for chain in self._chains() for step in chain.steps):
            raise Ended(Outcome.SKIPPED, "it was sent nothing")
        if entry.verify == "receipts":
            return self._receipts(sink)
        if entry.verify == "readback":
            return self._read_back(sink)
        hint = f"set sync.sinks.{sink}.verify to receipts or readback"
        raise Ended(Outcome.UNPROVEN, "delivered, not provable: nobody verifies (verify = off)", hint)

    def _receipts(self, sink: str) -> str:
        while True:
            chains = self._chains()
            count = sum(chain.confirmed(BYTES, sink) is not None for chain in chains)
            if count == len(chains):
                return f"{count} receipts, signed by the centre"
            trouble = self.archive.confirmations.cursor(sink).trouble
            self._wait(sink, f"{count} of {len(chains)} receipts have come" + (f": {trouble}" if trouble else ""))

    def _read_back(self, sink: str) -> str:
        options = options_of(self.settings, sink, self.environ)
        assert isinstance(options, StowOptions)
        client = DicomwebClient(options.endpoint())
        stored = self.archive.reading.instances(self.study_uid)
        try:
            with self.as_caller():
                for one in stored:
                    held = client.read(one.study_uid, one.series_uid, one.sop_uid, most=one.length)
                    if held is None or held.digest != one.digest:
                        what = "does not have an object it took" if held is None else "gives back other bytes"
                        raise Ended(Outcome.FAILED, f"the store {what}", "see the store's own log")
        finally:
            client.close()
        return f"{len(stored)} read back, equal"

    def _chains(self) -> tuple[Chain, ...]:
        return tuple(self.archive.chains.of(self.study_uid).chains)

    def _refuse_hopeless(self, sink: str) -> None:
        found = self.archive.outbox.stats().get(sink)
        if found is not None and found.held:
            raise Ended(Outcome.SKIPPED, "an operator has paused it", f"appliance sync resume {sink}")

    def _wait(self, sink: str, what: str) -> None:
        """Wait a moment; at the deadline, say why it takes so long."""
        if time.monotonic() < self.deadline:
            Event().wait(LOOK_SECONDS)
            return
        found = self.archive.outbox.stats().get(sink)
        if found is not None and found.breaker != "closed":
            raise Ended(
                Outcome.UNREACHED, f"{what}: {found.reason}", f"appliance doctor --only sink --only line: see {sink}"
            )
        mend = "appliance doctor --only room; see rates and priorities of the sink, or give it more time by --timeout"
        raise Ended(Outcome.LATE, what, mend)
