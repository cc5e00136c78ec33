"""What the handlers of the receiver work with, wired together by its main."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from flask import current_app, g

from appliance.archive.room import Archive
from appliance.archive.tenants import TenantView
from appliance.central.metrics import ReceiverMetrics
from appliance.central.refusals import Refusals
from appliance.central.registry import Registry, Site
from appliance.central.taking import Taking
from appliance.clock import Clock
from appliance.http.access_log import AccessLog
from appliance.signatures import Signer

EXTENSION = "appliance"


@dataclass(frozen=True, slots=True)
class Services:
    """The receiver's tools. Sizes are bytes. `archive_failed` is called once the archive must not be used on."""

    archive: Archive
    registry: Registry
    signer: Signer
    taking: Taking
    refusals: Refusals
    accesses: AccessLog
    metrics: ReceiverMetrics
    clock: Clock
    runtime: Path
    receipt_page: int
    archive_failed: Callable[[], None]


def services() -> Services:
    """Return the services of the application that handles this request."""
    return cast(Services, current_app.extensions[EXTENSION])


def site() -> Site:
    """Return the site that sends the request in hand. Handlers are called for nobody else."""
    return cast(Site, g.site)


def view() -> TenantView:
    """Return the archive as that site's tenant has it."""
    return services().archive.of(site().tenant)
