"""The answers in force: read back from configuration and proxy, so that what an administrator has changed counts."""

from __future__ import annotations

from typing import Any

from appliance.care.setup.answers import Answers, host_of, site_of
from appliance.care.setup.configured import Configured
from appliance.care.setup.files import read
from appliance.care.setup.machine import Machine
from appliance.care.setup.proxy_file import FILE, Front, front_of


def standing(machine: Machine, now: Configured, host: str) -> Answers:
    """Return the answers in force; `host` is the machine's name, from which come site and name of one never set up."""
    scp, site = now.settings.scp, now.settings.site
    found: dict[str, Any] = {"site": site.id if now.is_set("site.id") else site_of(host)}
    plain = {
        "tenant": ("site.tenant", site.tenant),
        "ae_title": ("scp.ae_title", scp.ae_title),
        "dicom_address": ("scp.host", scp.host),
        "dicom_tls_port": ("scp.tls_port", scp.tls_port),
    }
    found |= {name: value for name, (key, value) in plain.items() if now.is_set(key)}
    if now.is_set("scp.port") or now.is_set("scp.additional_ports"):
        found["dicom_ports"] = (scp.port, *scp.additional_ports)
    if now.text is not None and not now.is_set("scp.tls_port"):
        found["dicom_tls_port"] = None
    front = front_in_force(machine)
    if front is not None:
        found["https_address"] = front.address
    return Answers(https_name=_name(now, front) or host_of(host), **found)


def _name(now: Configured, front: Front | None) -> str:
    """What browsers call the machine. Set-up puts it first into both places, nginx's file and ours."""
    if front is not None:
        return front.names[0]
    hosts = now.settings.web.allowed_hosts
    return hosts[0] if hosts and host_of(hosts[0]) == hosts[0] else ""


def front_in_force(machine: Machine) -> Front | None:
    """Return what nginx was told of this machine; None when it was told nothing."""
    text = read(machine.at(FILE))
    return front_of(text) if text is not None else None
