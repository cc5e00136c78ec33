"""The lookout: asks archive, outbox, rooms and certificates how they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from appliance.archive.backup_record import age_seconds, read_record
from appliance.archive.confirmations import Confirmations
from appliance.archive.numbers import Numbers
from appliance.archive.outbox_desk import OutboxDesk
from appliance.certificates import days_left
from appliance.clock import Clock
from appliance.errors import ArchiveError
from appliance.lifecycle import read_rooms
from appliance.logs import get_logger
from appliance.monitor.snapshot import Snapshot

log = get_logger(__name__)


class Lookout:
    """Reads only, and survives an archive that cannot be read."""

    def __init__(
        self, numbers: Numbers, outbox: OutboxDesk, confirmations: Confirmations, runtime: Path,
        certificates: Mapping[str, Path], clock: Clock, home: Path,
    ) -> None:  # fmt: skip
        """Take where to look; `certificates` are files by their configuration's key, `home` tells of backups."""
        self._numbers = numbers
        self._outbox = outbox
        self._confirmations = confirmations
        self._runtime = runtime
        self._certificates = certificates
        self._clock = clock
        self._home = home
        self._readable = True

    def look(self) -> Snapshot:
        """Return the box as it is now."""
        now = self._clock.now()
        rooms = read_rooms(self._runtime)
        certificates = days_left(self._certificates, now)
        backup = age_seconds(read_record(self._home), now)
        try:
            numbers = self._numbers
            sinks, proofs = self._outbox.stats(), self._confirmations.counts()
            found = Snapshot(now, rooms, numbers.disk(), numbers.intake(now), sinks, certificates, proofs, backup)
        except ArchiveError as error:
            self._note(readable=False, fault=error.message)
            return Snapshot(now, rooms, certificates=certificates, backup_age_seconds=backup)
        self._note(readable=True)
        return found

    def _note(self, *, readable: bool, fault: str = "") -> None:
        if readable != self._readable:
            self._readable = readable
            log.info("archive read again") if readable else log.warning("archive not read", fault=fault)
