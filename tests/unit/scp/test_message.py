"""Messages are put together one at a time; what does not belong is a protocol error."""

from __future__ import annotations

import pytest

from appliance.scp.command import Command
from appliance.scp.message import MAX_COMMAND_SET, MessageReader
from appliance.scp.pdu import ProtocolError
from tests.partners.raw_scu import echo_command, store_command

CT = "1.2.840.10008.5.1.4.1.1.2"


class Recorded:
    """An operation that remembers what was done to it."""

    def __init__(self, context_id: int, command: Command, encoded: bytes) -> None:
        self.context_id, self.command, self.encoded = context_id, command, encoded
        self.received = b""
        self.completed = 0
        self.abandoned = 0

    def data(self, piece: memoryview) -> None:
        self.received += bytes(piece)

    def complete(self) -> None:
        self.completed += 1

    def abandon(self) -> None:
        self.abandoned += 1


class Desk:
    """A message reader and the operations it began."""

    def __init__(self) -> None:
        self.begun: list[Recorded] = []
        self.messages = MessageReader(self._begin)

    def _begin(self, context_id: int, command: Command, encoded: bytes) -> Recorded:
        self.begun.append(Recorded(context_id, command, encoded))
        return self.begun[-1]

    def command(self, data: bytes, *, last: bool = True, context_id: int = 1) -> None:
        self.messages.fragment(context_id, True, last, memoryview(data))

    def data(self, data: bytes, *, last: bool = True, context_id: int = 1) -> None:
        self.messages.fragment(context_id, False, last, memoryview(data))


def test_a_message_is_complete_with_its_last_fragment() -> None:
    desk = Desk()
    encoded = store_command(CT, "1.2.3")
    desk.command(encoded[:10], last=False)
    desk.command(encoded[10:])
    desk.data(b"abc", last=False)
    desk.data(b"", last=False)
    assert desk.begun[0].completed == 0
    desk.data(b"def")
    assert not desk.messages.busy
    assert (desk.begun[0].received, desk.begun[0].completed) == (b"abcdef", 1)
    assert desk.begun[0].encoded == encoded


def test_a_message_without_data_set_is_complete_with_its_command() -> None:
    desk = Desk()
    desk.command(echo_command())
    assert desk.begun[0].completed == 1
    assert not desk.messages.busy


def test_a_data_set_needs_a_command() -> None:
    desk = Desk()
    desk.command(echo_command())
    with pytest.raises(ProtocolError):
        desk.data(b"abc")


def test_a_command_inside_a_data_set_is_refused() -> None:
    desk = Desk()
    desk.command(store_command(CT, "1.2.3"))
    desk.data(b"abc", last=False)
    with pytest.raises(ProtocolError):
        desk.command(echo_command())


@pytest.mark.parametrize("begun_with_data", [False, True])
def test_fragments_of_two_contexts_are_not_mixed(begun_with_data: bool) -> None:
    desk = Desk()
    desk.command(store_command(CT, "1.2.3"), last=begun_with_data)
    with pytest.raises(ProtocolError):
        desk.data(b"abc", context_id=3)


def test_an_endless_command_set_is_refused() -> None:
    desk = Desk()
    with pytest.raises(ProtocolError, match="too long"):
        for _ in range(MAX_COMMAND_SET):
            desk.command(b"\0\0", last=False)


def test_abandoning_reaches_the_operation_once() -> None:
    desk = Desk()
    desk.command(store_command(CT, "1.2.3"))
    desk.messages.abandon()
    desk.messages.abandon()
    assert desk.begun[0].abandoned == 1
    assert not desk.messages.busy
