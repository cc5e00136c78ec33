"""The appliance's user, and the directories that are its own or that it may read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance import places
from appliance.care.setup.files import is_as, make_directory
from appliance.care.setup.machine import Machine
from appliance.care.setup.step import Action, Step

PART: Final = "directories"
SYSUSERS: Final = "dicom-edge-appliance.conf"


@dataclass(frozen=True, slots=True)
class Place:
    """A directory with its mode; `owned` by the appliance's user or by root, of the group of the files or its own."""

    path: Path
    mode: int
    owned: bool = True
    of_files: bool = False


def places_of(home: Path, tenant: str) -> tuple[Place, ...]:
    """Return every directory in the order in which they are made; `home` is the configuration's.

    The web server passes through the home (0751) and reads below `archive`: what is made there later has its group by
    the setgid bit.
    """
    return (
        Place(places.ETC, 0o755, owned=False),
        Place(places.ANSWERS.parent, 0o755, owned=False),
        Place(places.CREDENTIALS, 0o700, owned=False),
        Place(home, 0o751),
        Place(home / "archive", 0o2750, of_files=True),
        Place(home / "archive" / tenant, 0o2750, of_files=True),
        # Objects arrive here and are renamed into the archive: of its group already, nobody else's to look at.
        Place(home / "spool", 0o2700, of_files=True),
    )


def user_step(machine: Machine) -> Step:
    """Return the step after which user and groups are there: the package's list of them, by systemd-sysusers."""
    if machine.knows_users():
        return Step("user", machine.user, Action.KEEP)

    def make() -> str:
        return machine.run("systemd-sysusers", SYSUSERS) and ""

    return Step(
        "user", machine.user, Action.MAKE, f"with the groups {machine.group}, {machine.files_group}", apply=make
    )


def directory_steps(machine: Machine, home: Path, tenant: str) -> Iterator[Step]:
    """Yield a step for each directory. Owners are looked up when it is applied: the user may be made before."""
    known = machine.knows_users()
    for place in places_of(home, tenant):
        path = machine.at(place.path)
        if known and is_as(path, *_owners(machine, place), place.mode):
            yield Step(PART, str(path), Action.KEEP)
        else:
            action = Action.CHANGE if path.exists() else Action.MAKE
            yield Step(PART, str(path), action, f"mode {place.mode:04o}", apply=_making(machine, place, path))


def _making(machine: Machine, place: Place, path: Path) -> Callable[[], str]:
    def make() -> str:
        make_directory(path, *_owners(machine, place), place.mode)
        return ""

    return make


def _owners(machine: Machine, place: Place) -> tuple[int, int]:
    if not place.owned:
        return machine.root_ids()
    return machine.uid(), machine.gid(machine.files_group if place.of_files else machine.group)
