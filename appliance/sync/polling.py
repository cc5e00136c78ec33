"""Builds the poller of one STOW sink whose receiver signs receipts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

from appliance.archive.room import Archive
from appliance.dicomweb.receipts_client import ReceiptsClient
from appliance.dicomweb.transport import Transport
from appliance.signatures import load_verifiers
from appliance.sync.numbers import SinkNumbers
from appliance.sync.receipts import Identity, Line, Poller
from appliance.sync.sinks.stow_options import StowOptions


def build_poller(
    name: str, options: StowOptions, archive: Archive, site: str, stopping: Callable[[], bool], numbers: SinkNumbers
) -> Poller:  # fmt: skip
    """Return the poller; nothing outside the process is touched before its first step.

    `numbers` are those of the sink's worker. The public keys are read at every page, so that one is exchanged
    without a restart.
    """
    endpoint, key_file = options.endpoint(), cast(Path, options.receipt_key_file)
    source = ReceiptsClient(Transport(endpoint, stopping=stopping), endpoint.receipts())
    line = Line(lambda: numbers.delivered, lambda: bool(archive.outbox.held(name)))
    identity, clock = Identity(site, archive.settings.tenant), archive.clock
    return Poller(
        name, source, archive.confirmations, identity, lambda: load_verifiers(key_file), line, clock,
        options.receipts_seconds,
    )  # fmt: skip
