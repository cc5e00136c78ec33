"""DIMSE messages put together from fragments, one at a time (PS3.7 section 6.3.1, PS3.8 annex E)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from appliance.scp.command import Command, read_command
from appliance.scp.pdu import ProtocolError

# A command set is a few hundred bytes; Attribute Identifier List is the only field that can grow.
MAX_COMMAND_SET = 64 * 1024


class Operation(Protocol):
    """What is done with one message while it arrives."""

    def data(self, piece: memoryview) -> None:
        """The next bytes of the data set; valid during the call only."""

    def complete(self) -> None:
        """The message is whole: act on it and answer."""

    def abandon(self) -> None:
        """The message will never be whole: forget it. Safe to repeat."""


Begin = Callable[[int, Command, bytes], Operation]


class MessageReader:
    """Turns fragments into operations; `begin` gets (context ID, command, encoded command set).

    Fragments of two messages never mix on one association: a peer that does so is in error.
    """

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self._context_id = 0
        self._command = bytearray()
        self._operation: Operation | None = None

    @property
    def busy(self) -> bool:
        """Whether a message has begun and is not complete."""
        return self._operation is not None or bool(self._command)

    def fragment(self, context_id: int, is_command: bool, is_last: bool, data: memoryview) -> None:
        """Take one piece. Raises ProtocolError when it does not belong here."""
        if self.busy and context_id != self._context_id:
            raise ProtocolError("fragments of two messages are mixed")
        if is_command:
            self._command_fragment(context_id, is_last, data)
        else:
            self._data_fragment(is_last, data)

    def _command_fragment(self, context_id: int, is_last: bool, data: memoryview) -> None:
        if self._operation is not None:
            raise ProtocolError("a command set began before the data set ended")
        if len(self._command) + len(data) > MAX_COMMAND_SET:
            raise ProtocolError("command set too long")
        self._context_id = context_id
        self._command += data
        if not is_last:
            return
        encoded = bytes(self._command)
        self._command.clear()
        command = read_command(encoded)
        operation = self._begin(context_id, command, encoded)
        if command.has_data_set:
            self._operation = operation
        else:
            operation.complete()

    def _data_fragment(self, is_last: bool, data: memoryview) -> None:
        operation = self._operation
        if operation is None:
            raise ProtocolError("a data set without a command set")
        if data:
            operation.data(data)
        if is_last:
            self._operation = None
            operation.complete()

    def abandon(self) -> None:
        """Forget a message under way. Safe to repeat."""
        operation, self._operation = self._operation, None
        self._command.clear()
        if operation is not None:
            operation.abandon()
