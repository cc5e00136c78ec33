"""Whether the rooms run, are ready, and are of the installed version; whether what they do gets anywhere."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence

from appliance import __version__
from appliance.archive.database import Database
from appliance.archive.outbox_desk import OutboxDesk, SinkStats
from appliance.care.doctor.box import Box
from appliance.care.doctor.finding import Verdict, fault, ok, skipped, together, warning
from appliance.lifecycle import ESSENTIAL_ROOMS, MONITOR

READY = "ready"
PASSING = ("filling", "starting")
SYSTEMCTL_SECONDS = 5.0
TARGET = "appliance.target"
SERVICES = (
    "dicom-edge-scp", "dicom-edge-web", "dicom-edge-sync", "dicom-edge-monitor", "dicom-edge-codec",
    "dicom-edge-migrate", "dicom-edge-retention", "dicom-edge-fsck", "dicom-edge-backup", "dicom-edge-renew", "nginx",
)  # fmt: skip
SOCKETS = ("dicom-edge-scp", "dicom-edge-scp-tls", "dicom-edge-web", "dicom-edge-codec")
TIMERS = ("dicom-edge-retention", "dicom-edge-fsck", "dicom-edge-backup", "dicom-edge-renew")
UNITS = (
    TARGET, *(f"{name}.service" for name in SERVICES), *(f"{name}.socket" for name in SOCKETS),
    *(f"{name}.timer" for name in TIMERS),
)  # fmt: skip
# A socket is not started while its service runs; a restart of the service starts both.
BEHIND = {f"{name}.socket": f"{name.removesuffix('-tls')}.service" for name in SOCKETS}
AT_WORK = ("active", "activating", "reloading")
MINUTES = 60.0
OLD_SECONDS = 30 * MINUTES


def rooms(box: Box) -> Sequence[str]:
    """Name the rooms this box must have."""
    return (*ESSENTIAL_ROOMS, *((MONITOR,) if box.settings.mqtt.host else ()))


def room(box: Box, name: str) -> Verdict:
    """Look at what a room has published."""
    facts = box.rooms().get(name)
    restart = f"systemctl restart dicom-edge-{name}"
    if facts is None:
        return fault("does not run", f"start it: systemctl start dicom-edge-{name}, or appliance run")
    if not facts["alive"]:
        see = f"see its log: journalctl -u dicom-edge-{name}"
        return fault(f"has said nothing for {facts['age_seconds']} s, or has died", f"{see}; then: {restart}")
    version, state = facts.get("version"), str(facts.get("state", READY))
    if version != __version__:
        return warning(f"still runs version {version or 'of before'}, installed is {__version__}", restart)
    if state not in (READY, *PASSING):
        return warning(f"is {state}", f"wait; if it lasts: journalctl -u dicom-edge-{name}")
    return ok(f"{state}, version {version}, process {facts['pid']}")


def units(box: Box, _subject: str) -> Verdict:
    """Ask the service manager for units that have failed, timers that stand still, and whether a restart starts us."""
    if not box.has_service_manager:
        return skipped("no systemd here")
    shown = ("systemctl", "show", "--property=Id,LoadState,ActiveState,UnitFileState", *UNITS)
    try:
        done = subprocess.run(shown, capture_output=True, text=True, timeout=SYSTEMCTL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return skipped(f"systemctl does not answer ({type(error).__name__})")
    blocks = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in done.stdout.split("\n\n")]
    known = {one["Id"]: one for one in blocks if one.get("LoadState") not in (None, "not-found")}
    if TARGET not in known:
        return skipped("not installed as a package: systemd knows no units of ours")
    return together(list(_unit_troubles(known)), ok(f"none of {len(known)} has failed; they start with the machine"))


def _unit_troubles(known: Mapping[str, Mapping[str, str]]) -> Iterator[Verdict]:
    failed = [name for name, one in known.items() if one.get("ActiveState") == "failed"]
    if failed:
        see = " ".join(f"-u {name}" for name in failed)
        again = " ".join(dict.fromkeys(BEHIND.get(name, name) for name in failed))
        mend = f"see why: journalctl {see}; then: systemctl restart {again}"
        yield fault(f"failed: {', '.join(failed)}", mend)
    if known[TARGET].get("UnitFileState") == "disabled":
        yield warning("nothing starts with the machine", f"run: systemctl enable {TARGET}")
    if known[TARGET].get("ActiveState") not in AT_WORK:
        yield warning(f"{TARGET} is stopped", f"run: systemctl start {TARGET}")
        return
    idle = [name for name in (f"{timer}.timer" for timer in TIMERS) if _stands(known.get(name, {}))]
    if idle:
        yield warning(f"no longer runs by itself: {', '.join(idle)}", f"run: systemctl enable --now {' '.join(idle)}")


def _stands(timer: Mapping[str, str]) -> bool:
    return bool(timer) and timer.get("ActiveState") not in (*AT_WORK, "failed")


def sinks(box: Box) -> Sequence[str]:
    """Name the active sinks."""
    return tuple(name for name, entry in box.settings.sync.sinks.items() if entry.active)


def deliveries(box: Box, sink: str) -> Verdict:
    """Look at the queue of a sink: is it held, stuck, or full of dead letters?"""
    if not box.layout.database.is_file():
        return skipped("there is no database yet")
    database = Database(box.layout.database)
    try:
        found = OutboxDesk(database, box.layout.tenant, box.clock).stats().get(sink)
    finally:
        database.close()
    if found is None:
        return warning("the outbox does not know this sink yet", "restart room sync: systemctl restart dicom-edge-sync")
    return together(_troubles(sink, found), ok(f"{found.pending} wait, {found.delivered} delivered so far"))


def _troubles(sink: str, found: SinkStats) -> list[Verdict]:
    troubles = []
    if found.held:
        troubles.append(warning("an operator has paused it", f"appliance sync resume {sink}"))
    if found.dead:
        troubles.append(warning(f"{found.dead} dead letters", f"appliance dead list --sink {sink}"))
    if found.breaker != "closed":
        reason = found.reason or "its destination does not answer"
        troubles.append(fault(f"nothing is delivered: {reason}", f"mend what the line `sink {sink}` says"))
    elif found.pending and found.oldest_seconds > OLD_SECONDS:
        minutes = round(found.oldest_seconds / MINUTES)
        mend = f"appliance outbox list --sink {sink}; look at its rates, and at the line"
        troubles.append(warning(f"{found.pending} wait, the oldest for {minutes} minutes", mend))
    return troubles
