"""The whole way of the canary, step by step, and its removal, whatever happens on the way."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime

from appliance.archive.room import Archive
from appliance.care import knocking
from appliance.care.selftest.arriving import Arrivals
from appliance.care.selftest.canary import SIDE, Canary, canary, new_uid
from appliance.care.selftest.notes import Notes
from appliance.care.selftest.step import GOOD, Ended, Outcome, Protocol, Step
from appliance.care.selftest.web import Web, lent_token
from appliance.config import Settings
from appliance.dimse.client import encoded, store
from appliance.errors import ArchiveError, ConfigurationError, NotFound, PeerError
from appliance.model.attributes import Level

REASON = BY = "self-test"
BLOCK = 1 << 20
# The sinks are told DELETED by records; objects that are elsewhere are not this box's to take back.
STAYS = "its objects stay at {}: remove study {} there"
BROUGHT = ("object", "delivered")
KEEPING = ("stow", "directory")


@dataclass(frozen=True)
class Wishes:
    """What one run is asked for: these sinks ("" of none: all active), as this AE title, within so many seconds."""

    sinks: Sequence[str] = ()
    calling_ae: str = ""
    seconds: float = 120.0
    keep: bool = False


@dataclass(frozen=True)
class Journey:
    """One self-test of one box. `as_caller` gives back the rights that the command was started with, for secrets."""

    settings: Settings
    archive: Archive
    wishes: Wishes
    environ: Mapping[str, str]
    tell: Callable[[Step], None] = lambda _step: None
    as_caller: Callable[[], AbstractContextManager[None]] = nullcontext
    protocol: Protocol = field(init=False)

    def __post_init__(self) -> None:
        """Begin with no steps."""
        object.__setattr__(self, "protocol", Protocol(self.tell, time.monotonic, []))

    def run(self) -> list[Step]:
        """Go, and clean up, also after an error or an interruption. Raises AlreadyRunning, ConfigurationError."""
        self._check_sinks()
        notes = Notes(self.settings.home)
        with notes.alone():
            self._sweep(notes)
            study_uid = new_uid()
            notes.begin(study_uid)
            with self._removed(notes, study_uid):
                self._go(canary(study_uid, datetime.now(UTC)))
        return self.protocol.steps

    def _go(self, bird: Canary) -> None:
        if not self._sent(bird):
            return
        self._archived(bird)
        self._shown(bird)
        self._forwarded(bird)

    def _sent(self, bird: Canary) -> bool:
        """Send it through every door that there is; return whether the first let it in."""
        begun = len(self.protocol.steps)
        for door in knocking.doors(self.settings):
            with self.protocol.step(f"door {door.name}") as words:
                calling = self._calling(door)
                self._store(door, calling, bird)
                again = len(self.protocol.steps) > begun
                words.append(
                    f"{len(bird.images)} images taken from {calling}" + (" again, as duplicates" if again else "")
                )
        return self.protocol.steps[begun].outcome in GOOD

    def _store(self, door: knocking.Door, calling: str, bird: Canary) -> None:
        """It answers by now: what goes wrong from here on is a refusal, and no line that is down."""
        try:
            store(knocking.peer(self.settings, door, calling), bird.images)
        except PeerError as error:
            raise Ended(
                Outcome.FAILED, error.message, error.hint or "see: appliance doctor; appliance status"
            ) from error

    def _calling(self, door: knocking.Door) -> str:
        wished = self.wishes.calling_ae
        calling = knocking.caller(self.settings, door.host, wished)
        if not calling:
            who = wished or "anybody of scp.peers, and strangers,"
            mend = f"add a peer that calls from {door.host} to scp.peers, and name it by --calling-ae"
            raise Ended(Outcome.FAILED, f"the door does not let in {who} from this machine", mend)
        if door.is_tls and knocking.shows_no_client_certificate(self.settings):
            raise Ended(Outcome.SKIPPED, "the door asks for a client certificate, which this box has none of")
        (knocking.handshake if door.is_tls else knocking.reach)(self.settings, door)
        return calling

    def _archived(self, bird: Canary) -> None:
        with self.protocol.step("archive") as words:
            stored = {one.sop_uid: one for one in self.archive.reading.instances(bird.study_uid)}
            for image in bird.images:
                found = stored.get(str(image.SOPInstanceUID))
                sent = hashlib.sha256(encoded(image)).hexdigest()
                if found is None or found.digest != sent:
                    raise Ended(Outcome.FAILED, "the archive does not hold what was sent", "run: appliance fsck")
                with found.path.open("rb") as file:
                    file.seek(found.offset)
                    if hashlib.file_digest(file, "sha256").hexdigest() != sent:
                        raise Ended(
                            Outcome.FAILED, "the file is not what was sent", "check the disk: dmesg; appliance fsck"
                        )
            words.append(f"{len(bird.images)} images, digests equal")

    def _shown(self, bird: Canary) -> None:
        with lent_token(self.settings) as token:
            web = Web(self.settings, token)
            with self.protocol.step("search") as words:
                if web.studies(bird.study_uid) != 1:
                    raise Ended(
                        Outcome.FAILED, "the search does not find the study", "see: journalctl -u dicom-edge-web"
                    )
                words.append("found by QIDO-RS")
            with self.protocol.step("picture") as words:
                for image in bird.images:
                    size = web.picture(bird.study_uid, bird.series_uid, str(image.SOPInstanceUID))
                    if size != (SIDE, SIDE):
                        raise Ended(Outcome.FAILED, f"drawn in {size[0]} x {size[1]}", "report it, with the version")
                words.append(f"{len(bird.images)} drawn, one of them compressed")

    def _forwarded(self, bird: Canary) -> None:
        deadline = time.monotonic() + self.wishes.seconds
        arrivals = Arrivals(
            self.settings, self.archive, bird.study_uid, deadline, self.environ, self.as_caller
        )  # fmt: skip
        for name in self._sinks():
            begun = len(self.protocol.steps)
            with self.protocol.step(f"delivered {name}") as words:
                words.append(arrivals.delivered(name))
            if self.protocol.steps[begun].outcome is Outcome.OK:
                with self.protocol.step(f"confirmed {name}") as words:
                    words.append(arrivals.confirmed(name))

    def _sinks(self) -> list[str]:
        entries, wished = self.settings.sync.sinks, self.wishes.sinks
        return [name for name, entry in entries.items() if entry.active and (not wished or name in wished)]

    def _check_sinks(self) -> None:
        active = [name for name, entry in self.settings.sync.sinks.items() if entry.active]
        for name in self.wishes.sinks:
            if name not in active:
                raise ConfigurationError(f"there is no active sink {name}", hint=f"there are: {', '.join(active)}")

    def _sweep(self, notes: Notes) -> None:
        """Remove what runs that were killed have left."""
        for study_uid in notes.left():
            with self.protocol.step("leftover") as words:
                words.append(f"study {study_uid} of an earlier run: {self._delete(study_uid)}")
                notes.end(study_uid)

    @contextmanager
    def _removed(self, notes: Notes, study_uid: str) -> Iterator[None]:
        try:
            yield
        finally:
            if self.wishes.keep:
                notes.end(study_uid)
                self.protocol.add(
                    Step(
                        "kept",
                        Outcome.SKIPPED,
                        0.0,
                        f"study {study_uid}",
                        f"appliance delete --study {study_uid} --reason self-test",
                    )
                )
            else:
                with self.protocol.step("removed") as words:
                    words.append(self._delete(study_uid))
                    words.extend(self._what_stays(study_uid))
                    notes.end(study_uid)

    def _delete(self, study_uid: str) -> str:
        """Delete a study of ours; what was still to be delivered of it is buried. Nothing of it is no error."""
        try:
            done = self.archive.deletions.delete(Level.STUDY, study_uid, reason=REASON, by=BY, force=True)
        except NotFound:
            return "nothing of it was here"
        if self.archive.reading.instances(study_uid):
            raise ArchiveError("images came after the deletion", hint="run the self-test again: it removes them")
        return f"{done.instances} images deleted here, and records with DELETED queued"

    def _what_stays(self, study_uid: str) -> list[str]:
        try:
            chains = self.archive.chains.of(study_uid).chains
        except NotFound:  # it never came
            return []
        entries = self.settings.sync.sinks
        sent = {step.sink for chain in chains for step in chain.steps if (step.kind, step.state) == BROUGHT}
        holding = sorted(name for name in sent if name in entries and entries[name].kind in KEEPING)
        return [STAYS.format(", ".join(holding), study_uid)] if holding else []
