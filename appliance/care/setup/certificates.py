"""Certificates by `appliance-pki`: an authority of this machine's own, and servers for HTTPS and for DICOM with TLS.

What is there stays. A certificate of our making is issued anew only when it lacks a name that is wanted now.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from appliance import places
from appliance.care.setup.answers import Answers, door, host_of
from appliance.care.setup.machine import Machine
from appliance.care.setup.step import Action, Step

PART: Final = "certificates"
DICOM: Final = "dicom"
HOLDER: Final = ("cert.pem", "fullchain.pem", "key.pem")


@dataclass(frozen=True, slots=True)
class Lineage:
    """One certificate over the years; `label` tells two of the same host apart, `group` may read its key."""

    host: str
    label: str = ""
    group: str = ""
    both: bool = False

    @property
    def name(self) -> str:
        """Its name, as `appliance-pki` gives it."""
        return f"server-{quote(self.host, safe='')}" + (f"+{self.label}" if self.label else "")

    @property
    def certificate(self) -> Path:
        """What is presented: certificate and chain."""
        return places.PKI / "live" / self.name / "fullchain.pem"

    @property
    def key(self) -> Path:
        """Its private key."""
        return places.PKI / "live" / self.name / "key.pem"


@dataclass(frozen=True, slots=True)
class Naming:
    """What the certificates name: `wanted` for as long as they are answered, `at_hand` what else is true today."""

    host: str
    wanted: tuple[str, ...]
    at_hand: tuple[str, ...]


def is_ours(path: Path | None) -> bool:
    """Say whether a certificate's file is of this machine's own authority; none at all is free to become so."""
    return path is None or path.is_relative_to(places.PKI)


def naming(answers: Answers, host: str, addresses: Sequence[str]) -> Naming:
    """Return names and addresses that a certificate of this machine has: those that an authority here may certify."""
    listening = [door(answers.https_address)[0], answers.dicom_address]
    chosen = [one for one in listening if not ipaddress.ip_address(one).is_unspecified]
    everywhere = [] if len(chosen) == len(listening) else addresses
    wanted = [answers.https_name, *filter(_is_inside, chosen)]
    at_hand = [host_of(host), "localhost", "127.0.0.1", *filter(_is_inside, everywhere)]
    return Naming(answers.https_name, _unique(wanted), tuple(one for one in _unique(at_hand) if one not in wanted))


def steps(machine: Machine, site: str, lineages: Sequence[Lineage], named: Naming) -> Iterator[Step]:
    """Yield the steps to an authority and to each lineage."""
    is_new = not machine.at(places.PKI / "ca" / "cert.pem").exists()
    name = f"Appliance {site}"
    if is_new:
        domains = [word for one in _names(named) for word in ("--domain", one) if one != "localhost"]
        yield Step(PART, "authority", Action.MAKE, name, apply=_locksmith(machine, "init", name, *domains))
    else:
        yield Step(PART, "authority", Action.KEEP)
    standing = {} if is_new else issued(machine)
    for lineage in lineages:
        yield _step(machine, lineage, named, standing.get(lineage.name))


def issued(machine: Machine) -> Mapping[str, frozenset[str]]:
    """Return the names in each certificate that is live. Raises ConfigurationError."""
    return {
        str(row["name"]): frozenset(map(str, row.get("names") or ()))
        for row in json.loads(machine.locksmith("list", "--json"))
    }


def _step(machine: Machine, lineage: Lineage, named: Naming, found: frozenset[str] | None) -> Step:
    missing = [one for one in named.wanted if found is not None and one not in found]
    if found is not None and not missing:
        return Step(PART, lineage.name, Action.KEEP)
    options = [word for one in _names(named) if one != lineage.host for word in ("--dns", one)]
    options += [word for one in (*named.wanted, *named.at_hand) if _is_address(one) for word in ("--ip", one)]
    options += ["--label", lineage.label] if lineage.label else []
    options += ["--group", lineage.group] if lineage.group else []
    options += ["--both"] if lineage.both else []
    options += ["--replace"] if found is not None else []
    detail = f"names {', '.join(missing)} as well" if missing else f"for {lineage.host}"
    action = Action.MAKE if found is None else Action.CHANGE
    return Step(
        PART, lineage.name, action, detail, apply=_locksmith(machine, "issue", "server", lineage.host, *options)
    )


def _locksmith(machine: Machine, *words: str) -> Callable[[], str]:
    def work() -> str:
        machine.locksmith(*words)
        return ""

    return work


def _names(named: Naming) -> list[str]:
    return [one for one in (*named.wanted, *named.at_hand) if not _is_address(one)]


def _is_inside(address: str) -> bool:
    """Whether an authority of ours may certify the address (pki/constraints.py): that of a private network."""
    found = ipaddress.ip_address(address)
    return any(found.version == net.version and found in net for net in INSIDE)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _unique(found: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))


INSIDE: Final = tuple(
    ipaddress.ip_network(one)
    for one in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16",
        "fc00::/7", "fe80::/10", "::1/128",
    )
)  # fmt: skip
