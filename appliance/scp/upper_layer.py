"""pynetdicom's upper layer, driven by the association's own thread instead of a polling one.

pynetdicom runs a second thread per association that looks at the socket and at its queues every
millisecond. Here every primitive is acted on at once, where it is sent, and what arrives is put in by
whoever read it. The state machine, the PDUs and their encoding remain pynetdicom's.
"""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Any

from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_RQ, A_RELEASE_RQ
from pynetdicom.transport import AssociationSocket

from appliance.scp.pdu import HEADER, PduType, ProtocolError
from appliance.scp.transport import Connection, ConnectionOver

if TYPE_CHECKING:
    from pynetdicom.association import Association

# PDU class and state machine event (PS3.8 table 9-10) of what a requestor may send.
_ARRIVALS: dict[int, tuple[Any, str]] = {
    PduType.ASSOCIATE_RQ: (A_ASSOCIATE_RQ, "Evt6"),
    PduType.RELEASE_RQ: (A_RELEASE_RQ, "Evt12"),
    PduType.ABORT: (A_ABORT_RQ, "Evt16"),
}


class Wire(AssociationSocket):
    """What pynetdicom takes for its socket: sends through our connection, never reads."""

    def __init__(self, assoc: Association, connection: Connection) -> None:
        super().__init__(assoc, client_socket=connection.sock)
        self._connection = connection

    def send(self, bytestream: bytes) -> None:
        """Send a whole PDU; a peer that is gone becomes the event of a closed connection."""
        try:
            self._connection.send(bytestream)
        except ConnectionOver:
            self.event_queue.put("Evt17")

    def close(self) -> None:
        """Leave the closing to the connection's owner."""


class UpperLayer(DULServiceProvider):
    """A DUL service provider without a thread."""

    def run_reactor(self) -> None:
        """Never runs: `send_pdu` and `arrive` do the work."""

    def send_pdu(self, primitive: Any) -> None:
        """Act on a primitive of the local user at once: its PDU has been sent on return."""
        super().send_pdu(primitive)
        while not self._kill_thread and self._process_recv_primitive():
            self.act()

    def arrive(self, pdu_type: int, body: bytes) -> None:
        """Take a PDU that the peer sent; its indication is in `to_user_queue` on return.

        Raises ProtocolError on a PDU that pynetdicom cannot decode.
        """
        pdu_class, event = _ARRIVALS[pdu_type]
        pdu = pdu_class()
        try:
            pdu.decode(HEADER.pack(pdu_type, len(body)) + body)
            pdu.to_primitive()
        except Exception as error:  # boundary: a peer's bytes; pynetdicom raises what it stumbles over
            raise ProtocolError(f"PDU type 0x{pdu_type:02X} cannot be decoded") from error
        self._recv_pdu.put(pdu)
        self.event_queue.put(event)
        self.act()

    def act(self) -> None:
        """Run the state machine until no event is left."""
        while not self._kill_thread:
            try:
                event = self.event_queue.get(block=False)
            except queue.Empty:
                return
            self.state_machine.do_action(event)
