"""The whole of set-up as one list of steps, made by looking alone and applied in order."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from appliance import places
from appliance.care.setup import certificates, sockets
from appliance.care.setup.answers import Answers, door, host_of
from appliance.care.setup.certificates import DICOM, Lineage, Naming, is_ours
from appliance.care.setup.configured import Configured, configured, wanted_values, with_answers
from appliance.care.setup.database import account_steps, database_step
from appliance.care.setup.files import file_step
from appliance.care.setup.machine import Machine
from appliance.care.setup.proxy import proxy_steps
from appliance.care.setup.proxy_file import Front
from appliance.care.setup.standing import front_in_force, standing
from appliance.care.setup.step import Action, Step, is_due
from appliance.care.setup.users import directory_steps, user_step
from appliance.errors import ConfigurationError

SOCKETS: Final = "sockets"
TAKEN_UP: Final = "services"
UNITS: Final = "appliance.target"


@dataclass(frozen=True, slots=True)
class Outlook:
    """What set-up starts from: the machine, what is configured, what is answered, the names it goes by."""

    machine: Machine
    now: Configured
    answers: Answers
    host: str
    addresses: tuple[str, ...]

    @property
    def naming(self) -> Naming:
        """Names for certificates and for browsers."""
        return certificates.naming(self.answers, self.host, self.addresses)


def outlook(
    machine: Machine, host: str, addresses: Sequence[str], answer: Callable[[Answers], Answers] | None = None
) -> Outlook:
    """Look at a machine; `answer` turns the answers in force into those wanted. Raises ConfigurationError."""
    now = configured(machine)
    found = standing(machine, now, host)
    return Outlook(machine, now, answer(found) if answer else found, host, tuple(addresses))


def plan(look: Outlook, *, restarts: bool = False) -> list[Step]:
    """Return every step from what is to what is wanted; nothing is changed.

    `restarts`: the services take it up at once; otherwise the caller sees to that, who may have brought other files.
    Raises ConfigurationError for what the configuration would refuse, and for images of another tenant.
    """
    machine, answers = look.machine, look.answers
    front, lineages = _front(look), _lineages(look)
    own = next((one for one in lineages if one.label == DICOM), None)
    values = wanted_values(answers, (own.certificate, own.key) if own else None, _hosts(look))
    then = with_answers(machine, look.now, values)
    home = then.settings.home
    settings = [
        file_step("configuration", machine.at(places.ANSWERS), then.text or ""),
        *_sockets(machine, then),
    ]
    steps = [
        user_step(machine),
        *directory_steps(machine, home, answers.tenant),
        *settings,
        *certificates.steps(machine, answers.site, lineages, look.naming),
        database_step(machine, home, answers.tenant),
        *account_steps(machine, home, answers),
        *proxy_steps(machine, front_in_force(machine), front, always=not restarts),
    ]
    if restarts and machine.is_live and is_due(settings):
        steps.append(Step(TAKEN_UP, UNITS, Action.RUN, "restarts with the changes", apply=lambda: _restart(machine)))
    elif machine.is_live and is_due(step for step in settings if step.part == SOCKETS):
        steps.append(Step(SOCKETS, "old addresses", Action.RUN, "closed", apply=lambda: _close(machine)))
    return steps


def _front(look: Outlook) -> Front:
    """The machine for browsers; a certificate that an administrator has put there stays."""
    found = front_in_force(look.machine)
    own = Lineage(look.answers.https_name)
    certificate, key = own.certificate, own.key
    if found is not None and not is_ours(found.certificate):
        certificate, key = found.certificate, found.key
    return Front(look.answers.https_address, _hosts(look) or (look.answers.https_name,), certificate, key)


def _lineages(look: Outlook) -> list[Lineage]:
    """The certificates that are this machine's own to make."""
    found = []
    front = front_in_force(look.machine)
    if front is None or is_ours(front.certificate):
        found.append(Lineage(look.answers.https_name))
    scp = look.now.settings.scp
    if look.answers.dicom_tls_port is not None and is_ours(scp.tls_certificate):
        found.append(Lineage(look.answers.https_name, DICOM, look.machine.group, both=True))
    return found


def _hosts(look: Outlook) -> tuple[str, ...]:
    """Names that browsers may use, the one answered first; those that are allowed already stay allowed."""
    answered = look.answers.https_name
    address = ipaddress.ip_address(door(look.answers.https_address)[0])
    own = [answered, host_of(look.host), f"{host_of(look.host).partition('.')[0]}.local"]
    own += look.addresses if address.is_unspecified else [str(address)] if not address.is_loopback else []
    return tuple(dict.fromkeys([*own, *look.now.settings.web.allowed_hosts]))


def _sockets(machine: Machine, then: Configured) -> Iterator[Step]:
    """Drop-ins of what the configuration will say, whoever says it."""
    scp = then.settings.scp
    try:
        host = str(ipaddress.ip_address(scp.host.strip("[]")))
    except ValueError:
        raise ConfigurationError(
            f"scp.host = {scp.host!r} ({then.origin('scp.host')}) is a name; systemd needs an address to listen on",
            hint="write the IP address, or 0.0.0.0 for all of them",
        ) from None
    for path, text in sockets.drop_ins(host, (scp.port, *scp.additional_ports), scp.tls_port):
        yield file_step(SOCKETS, machine.at(path), text)


def _restart(machine: Machine) -> str:
    machine.run("systemctl", "daemon-reload")
    # The sockets stay open when the rooms restart, unless they are named, too.
    machine.run("systemctl", "restart", UNITS, sockets.PLAIN, sockets.TLS)
    return ""


def _close(machine: Machine) -> str:
    """Close the DICOM doors: they open at other addresses with the services, which the caller starts."""
    machine.run("systemctl", "daemon-reload")
    # With its room: one that waits for the rest of an upgrade has not taken them over yet.
    machine.run("systemctl", "stop", sockets.PLAIN, sockets.TLS, sockets.ROOM)
    return ""


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of it: what is to be shown once (a set-up code), and failures that the box can go on with."""

    once: tuple[str, ...]
    failures: tuple[ConfigurationError, ...]


def applied(steps: Sequence[Step]) -> Applied:
    """Apply the steps that are due, in order. Raises what the first vital one that fails does.

    Safe to repeat: after a failure the same plan, made anew, goes on where it stopped.
    """
    once, failures = [], []
    for step in steps:
        if not step.is_due:
            continue
        try:
            once.append(step.apply())
        except ConfigurationError as error:
            if step.is_vital:
                raise
            failures.append(error)
    return Applied(tuple(filter(None, once)), tuple(failures))
