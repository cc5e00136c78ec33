"""nginx: where it listens, and the site switched on, without ever breaking one that serves something else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from appliance.archive.files import fsync_directory
from appliance.care.setup.answering import unanswered
from appliance.care.setup.certificates import is_ours
from appliance.care.setup.files import file_step
from appliance.care.setup.machine import Machine
from appliance.care.setup.proxy_file import FILE, Front
from appliance.care.setup.step import Action, Step
from appliance.errors import ConfigurationError

PART: Final = "nginx"
PROGRAM: Final = Path("/usr/sbin/nginx")
SITE: Final = Path("/etc/nginx/sites-available/dicom-edge-appliance.conf")
LINK: Final = Path("/etc/nginx/sites-enabled/dicom-edge-appliance.conf")
# Left by the package's removal, which switches the site off: the administrator did not, and it may come back.
SWITCHED_OFF: Final = FILE.parent / "switched-off-by-removal"


def proxy_steps(machine: Machine, now: Front | None, front: Front, *, always: bool) -> Iterator[Step]:
    """Yield the steps from `now` to a site that is served. One that an administrator has switched off stays off.

    `always`: nginx takes up the site even where nothing here changes, because the package has brought another one.
    """
    before = file_step(PART, machine.at(FILE), front.text())
    yield before
    link, site = machine.at(LINK), machine.at(SITE)
    if not site.exists():
        yield Step(PART, str(link), Action.LEAVE, "the site is not installed", f"there is no {site}")
        return
    was_set_up = before.action is not Action.MAKE and not machine.at(SWITCHED_OFF).exists()
    is_on = os.path.lexists(link)
    if is_on:
        yield Step(PART, str(link), Action.KEEP)
    elif was_set_up:
        yield Step(PART, str(link), Action.LEAVE, "switched off by the administrator")
        return
    else:
        yield Step(PART, str(link), Action.MAKE, "switches the site on", apply=_switching_on(machine))
    if machine.root == Path("/") and (always or before.is_due or not is_on):
        moves = now is not None and now.address != front.address
        detail = "checks its configuration and takes it up"
        yield Step(PART, "nginx", Action.RUN, detail, apply=_taking_up(machine, front, moves=moves), is_vital=False)


def _switching_on(machine: Machine) -> Callable[[], str]:
    def make() -> str:
        link = machine.at(LINK)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(SITE)
        fsync_directory(link.parent)
        machine.at(SWITCHED_OFF).unlink(missing_ok=True)
        return ""

    return make


def _taking_up(machine: Machine, front: Front, *, moves: bool) -> Callable[[], str]:
    def take_up() -> str:
        try:
            machine.run(str(PROGRAM), "-q", "-t")
        except ConfigurationError as error:
            raise _unserved(machine, error.message) from None
        if machine.is_live:
            # From all addresses to one of them is no way for a reload: the old port is open when the new one is bound.
            machine.run("systemctl", "try-restart" if moves else "try-reload-or-restart", "nginx.service")
            _require_answer(machine, front)
        return ""

    return take_up


def _require_answer(machine: Machine, front: Front) -> None:
    """Look from outside: neither the test of a configuration nor a reload says that another program has the port."""
    # An administrator may have told nginx of several, for different clients.
    certificate = machine.at(front.certificate) if is_ours(front.certificate) else None
    wrong = unanswered(front.address, front.names[0], certificate)
    if wrong:
        raise ConfigurationError(wrong, hint="see who has its ports: ss -ltnp; then: systemctl restart nginx")


def _unserved(machine: Machine, reason: str) -> ConfigurationError:
    """Switch the site off if nginx is sound without it: what it serves besides must outlive its next restart."""
    machine.at(LINK).unlink(missing_ok=True)
    if machine.succeeds(str(PROGRAM), "-q", "-t"):
        machine.at(SWITCHED_OFF).touch()
        message = f"nginx refuses the site, so it is switched off: {reason}"
    else:
        machine.at(LINK).symlink_to(SITE)
        message = f"nginx refuses its configuration, with and without the site of this box: {reason}"
    return ConfigurationError(message, hint="mend what it names, then run: appliance init --system")
