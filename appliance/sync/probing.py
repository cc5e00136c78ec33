"""Asking a destination, without a delivery, whether it would take one: reached, logged in, its topics there.

A probe leaves nothing at the destination, and takes nothing from the room that delivers there meanwhile.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from appliance.dicomweb.client import DicomwebClient
from appliance.dicomweb.receipts_client import ReceiptsClient
from appliance.errors import ApplianceError, ConfigurationError
from appliance.signatures import load_signer, load_verifiers
from appliance.sync.sinks.contract import Misconfigured, Unreachable
from appliance.sync.sinks.destination import destination
from appliance.sync.sinks.kafka_options import KafkaOptions
from appliance.sync.sinks.registry import DirectoryOptions, MemoryOptions, Options
from appliance.sync.sinks.stow_faults import of_error, of_status
from appliance.sync.sinks.stow_options import StowOptions

PROBE = ".probe-"
# What a probe of an HTTP service may add: the clock there, by its Date header.
DATE = "Date"


def probe(options: Options) -> Mapping[str, str]:
    """Ask the destination of a sink; return what it said beside that it would take something (DATE), {} if nothing.

    Raises Unreachable and Misconfigured, as a delivery would meet them.
    """
    return _PROBES[type(options)](options)


def _directory(options: DirectoryOptions) -> Mapping[str, str]:
    """Make a file and remove it. The lock of the room that writes here is left alone."""
    root = options.root
    if not root.exists() and options.create:
        root = root.parent
    with destination("write into the directory"):
        descriptor, name = tempfile.mkstemp(prefix=PROBE, dir=root)
        try:
            os.write(descriptor, b"\0")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
            os.unlink(name)
    return {}


def _kafka(options: KafkaOptions) -> Mapping[str, str]:
    """Connect, log in, ask for the topics."""
    from appliance.sync.sinks.kafka import CONNECT_SECONDS  # a box without Kafka never loads its client
    from appliance.sync.sinks.kafka_link import reach_checked
    from appliance.sync.sinks.kafka_parcels import topic_names
    from appliance.sync.sinks.kafka_settings import producer_configs

    _readable(options.signature_key_file, load_signer)
    reached = reach_checked(
        producer_configs(options), topic_names(options), profile=options.profile,
        seconds=min(CONNECT_SECONDS, options.delivery_timeout), stopping=lambda: False,
    )  # fmt: skip
    reached.client.close()
    return {}


def _memory(_options: MemoryOptions) -> Mapping[str, str]:
    return {}


def _stow(options: StowOptions) -> Mapping[str, str]:
    """Send a request to store nothing; where receipts are fetched, fetch the first of them, too."""
    client = DicomwebClient(options.endpoint())
    try:
        reply = client.knock()
        fault = of_status(reply, client.endpoint.host)
        if isinstance(fault, Unreachable | Misconfigured):
            raise fault
        if options.verify == "receipts":
            _readable(options.receipt_key_file, load_verifiers)
            ReceiptsClient(client.transport, client.endpoint.receipts()).page(0, 1)
    except ApplianceError as error:
        if isinstance(error, Unreachable | Misconfigured):
            raise
        raise of_error(error, client.endpoint.host) from error
    finally:
        client.close()
    return {DATE: reply.headers.get(DATE, "")}


def _readable(path: Any, load: Callable[[Any], object]) -> None:
    try:
        if path is not None:
            load(path)
    except ConfigurationError as error:
        raise Misconfigured(error.message, hint=error.hint) from None


_PROBES: Mapping[type[Options], Callable[[Any], Mapping[str, str]]] = MappingProxyType({
    DirectoryOptions: _directory,
    KafkaOptions: _kafka,
    MemoryOptions: _memory,
    StowOptions: _stow,
})  # fmt: skip
