"""Command sets: our bytes equal pynetdicom's, and nonsense is refused."""

from __future__ import annotations

import contextlib
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.dimse_messages import C_STORE_RSP
from pynetdicom.dimse_primitives import C_STORE

from appliance.scp.command import (
    Command,
    encode_response,
    read_command,
    wrap_command,
)
from appliance.scp.pdu import ProtocolError
from appliance.scp.pdv import PduReader
from tests.partners.raw_scu import command_set, echo_command, store_command, uid_bytes, us
from tests.unit.scp.test_pdv import Recorder

CT = "1.2.840.10008.5.1.4.1.1.2"


def pynetdicom_response(command: Command, status: int, comment: str) -> bytes:
    """What pynetdicom encodes for the same response."""
    primitive = C_STORE()
    primitive.MessageIDBeingRespondedTo = command.message_id
    primitive.AffectedSOPClassUID = command.sop_class_uid
    primitive.AffectedSOPInstanceUID = command.sop_instance_uid
    primitive.Status = status
    if comment:
        primitive.ErrorComment = comment  # type: ignore[assignment]
    message = C_STORE_RSP()
    message.primitive_to_message(primitive)
    stream = BytesIO()
    for pdata in message.encode_msg(1, 0):
        stream.write(pdata.presentation_data_value_list[0][1][1:])
    return stream.getvalue()


@pytest.mark.parametrize("comment", ["", "odd", "even", "x" * 64])
@pytest.mark.parametrize("sop_uid", ["1.2.3", "1.2.34", "1." + "2" * 62])
@pytest.mark.parametrize("status", [0x0000, 0xA700, 0xA900, 0xC000])
def test_a_response_has_the_bytes_that_pynetdicom_encodes(status: int, sop_uid: str, comment: str) -> None:
    command = Command(1, 4711, True, CT, sop_uid)
    assert encode_response(command, status, comment) == pynetdicom_response(command, status, comment)


def test_a_comment_is_cut_at_the_length_of_its_representation() -> None:
    command = Command(1, 1, True, CT, "1.2.3")
    assert encode_response(command, 0xC000, "x" * 90) == encode_response(command, 0xC000, "x" * 64)


def test_a_store_command_is_read() -> None:
    assert read_command(store_command(CT, "1.2.3", 7)) == Command(1, 7, True, CT, "1.2.3")


def test_an_echo_command_has_no_data_set() -> None:
    assert read_command(echo_command(3)) == Command(0x30, 3, False, "1.2.840.10008.1.1", "")


def test_absent_uids_are_empty() -> None:
    command = read_command(store_command("", ""))
    assert (command.sop_class_uid, command.sop_instance_uid) == ("", "")


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\0\0",
        command_set([(0x0002, uid_bytes(CT))]),
        command_set([(0x0100, us(1))]),
        command_set([(0x0100, b"\1"), (0x0800, us(0))]),
        store_command(CT, "1.2.3")[:-1],
        store_command(CT, "1.2.3") + b"\x08\0\x18\0\0\0\0\0",
        b"\0\0\x02\0\xff\xff\xff\xff" + bytes(20),
    ],
)
def test_a_broken_command_set_is_refused(encoded: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_command(encoded)


@given(st.binary(max_size=300))
def test_noise_is_never_more_than_a_protocol_error(noise: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        read_command(noise)


@pytest.mark.parametrize("maximum_length", [0, 1, 7, 8, 64, 100, 16384])
def test_a_response_is_cut_to_what_the_peer_takes(maximum_length: int) -> None:
    encoded = encode_response(Command(1, 1, True, CT, "1.2.3"), 0)
    recorder = Recorder()
    stream = wrap_command(5, encoded, maximum_length)
    assert PduReader(recorder, max(maximum_length, 8) if maximum_length else 1 << 20).feed(memoryview(stream)) == len(
        stream
    )
    assert recorder.parts == [(5, True, encoded)]
