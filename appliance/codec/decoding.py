"""Who decodes: children of this very process, or the codec service."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from appliance.codec.limits import Limits
from appliance.codec.line import Sink
from appliance.codec.outcome import Outcome
from appliance.codec.pool import NOTHING, Observer, Pool
from appliance.codec.remote import RemotePool
from appliance.codec.source import Source


class Decoding(Protocol):
    """What Pool and RemotePool have in common."""

    limits: Limits

    def run(
        self,
        operation: str,
        source: Source,
        arguments: Mapping[str, Any] = NOTHING,
        *,
        sink: Sink | None = None,
        background: bool = False,
    ) -> Outcome:
        """Do one task, as Pool.run does. Raises CodecFault, OSError."""

    def close(self) -> None:
        """End what is under way; safe to repeat."""


def decoding(limits: Limits, service: Path | None, observer: Observer | None = None) -> Decoding:
    """Return the service at the socket `service`, or without one a pool of this process."""
    return Pool(limits, observer) if service is None else RemotePool(service, limits, observer)
