"""Messages that are not a C-STORE: handed to pynetdicom's services, or refused."""

from __future__ import annotations

from collections.abc import Callable

from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.pdu_primitives import P_DATA

from appliance.scp.pdu import ProtocolError

# Identifiers of queries and the data sets of N- services are small; nothing larger is collected.
MAX_DATA_SET = 1024 * 1024

_LAST_COMMAND = b"\x03"
_LAST_DATA = b"\x02"


class Refused:
    """Reads the data set, if there is one, and then answers that this is not done here."""

    def __init__(self, answer: Callable[[], None]) -> None:
        self._answer = answer

    def data(self, piece: memoryview) -> None:
        """Drop it: the message must be read to its end before it can be answered."""

    def complete(self) -> None:
        """Send the refusal."""
        self._answer()

    def abandon(self) -> None:
        """Nothing to forget."""


class PassedOn:
    """Collects a small message and gives it to pynetdicom as if its own reader had read it."""

    def __init__(
        self,
        dimse: DIMSEServiceProvider,
        context_id: int,
        encoded_command: bytes,
        serve: Callable[[], None],
    ) -> None:
        self._dimse = dimse
        self._context_id = context_id
        self._command = encoded_command
        self._data = bytearray()
        self._serve = serve

    def data(self, piece: memoryview) -> None:
        """Collect the data set. Raises ProtocolError when it outgrows what any such message needs."""
        if len(self._data) + len(piece) > MAX_DATA_SET:
            raise ProtocolError("data set of a message other than C-STORE is too long")
        self._data += piece

    def complete(self) -> None:
        """Let pynetdicom decode the message, then serve it."""
        values = [[self._context_id, _LAST_COMMAND + self._command]]
        if self._data:
            values.append([self._context_id, _LAST_DATA + bytes(self._data)])
        primitive = P_DATA()
        primitive.presentation_data_value_list = values  # type: ignore[assignment]
        try:
            self._dimse.receive_primitive(primitive)
        except Exception as error:  # boundary: a peer's bytes; pydicom raises what it stumbles over
            raise ProtocolError("message cannot be decoded") from error
        self._serve()

    def abandon(self) -> None:
        """Forget what came."""
        self._data.clear()
