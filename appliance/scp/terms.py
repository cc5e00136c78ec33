"""What holds for every association of this door, and for one caller in particular."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from appliance.clock import Clock
from appliance.model.records import Door, Origin
from appliance.scp.access import Peer
from appliance.scp.contexts import ContextTable
from appliance.scp.pdu import Titles
from appliance.scp.storage import Ingest
from appliance.scp.tally import Tally


@dataclass(frozen=True, slots=True)
class Terms:
    """The door's terms. Sizes are bytes, times seconds.

    `archive_failed` is called, from an association's thread, when the archive can no longer promise
    durability and the room has to be restarted.
    """

    ae_title: str
    contexts: ContextTable
    ingest: Ingest
    tally: Tally
    clock: Clock
    max_pdu: int
    max_object_bytes: int
    network_timeout: float
    archive_failed: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Caller:
    """The other side of one association: who it says it is, where it calls from, who we take it for."""

    titles: Titles
    address: str
    port: int
    peer: Peer
    traceparent: str

    def origin(self) -> Origin:
        """What ingest is told of every object that comes over this association."""
        return Origin(
            door=Door.DIMSE,
            ae_title=self.titles.calling,
            address=self.address,
            assumed_charset=self.peer.assumed_charset,
            conflict_policy=self.peer.conflict_policy,
            traceparent=self.traceparent,
        )
