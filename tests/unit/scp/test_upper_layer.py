"""pynetdicom without its polling thread: what it cannot decode is refused."""

from __future__ import annotations

import socket

import pytest

from appliance.clock import SystemClock
from appliance.scp.access import Peer
from appliance.scp.association import StorageAssociation
from appliance.scp.contexts import ContextTable
from appliance.scp.pdu import PduType, ProtocolError, Titles
from appliance.scp.tally import Tally
from appliance.scp.terms import Caller, Terms
from appliance.scp.transport import Connection
from tests.partners.memory_ingest import MemoryIngest

TERMS = Terms("APPLIANCE", ContextTable.of(), MemoryIngest(), Tally(), SystemClock(), 16384, 1 << 30, 5.0, lambda: None)
CALLER = Caller(Titles("A", "APPLIANCE"), "127.0.0.1", 1, Peer("A"), "")


@pytest.mark.parametrize("body", [b"", b"\xff" * 100])
def test_a_request_that_cannot_be_decoded_is_a_protocol_error(body: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = Connection(ours, b"", 5)
        association = StorageAssociation(connection, b"", CALLER, TERMS, lambda _: None)
        with pytest.raises(ProtocolError):
            association._upper_layer.arrive(PduType.ASSOCIATE_RQ, body)
        connection.close()
