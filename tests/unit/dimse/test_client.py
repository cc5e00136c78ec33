"""The C-STORE client: every refusal is a PeerError that says what to do."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, MRImageStorage, Verification  # type: ignore[attr-defined]

from appliance.dimse.client import Peer, Rejected, contexts, echo, encoded, store
from appliance.errors import PeerError
from tests.builders.instances import ct
from tests.partners.ports import free_ports


def image(**overrides: str) -> Dataset:
    dataset = ct(**overrides)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


@contextmanager
def scp(answer: Callable[[evt.Event], int], *, title: str = "SCP", strict: bool = False) -> Iterator[Peer]:
    """A storage SCP for CT alone."""
    entity = AE(ae_title=title)
    entity.require_called_aet = strict
    entity.add_supported_context(CTImageStorage)
    entity.add_supported_context(Verification)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, answer)])
    assert server is not None
    try:
        yield Peer("127.0.0.1", server.server_address[1], "SCP", "SCU", timeout=10)
    finally:
        server.shutdown()


def test_every_data_set_is_sent_in_order() -> None:
    received: list[str] = []

    def take(event: evt.Event) -> int:
        received.append(str(event.dataset.SOPInstanceUID))
        return 0x0000

    images = [image() for _ in range(3)]
    sent: list[Dataset] = []
    with scp(take) as peer:
        store(peer, images, sent.append)
    assert received == [str(one.SOPInstanceUID) for one in images]
    assert sent == images


def test_a_warning_is_a_success() -> None:
    with scp(lambda _: 0xB000) as peer:
        store(peer, [image()])


def test_a_refused_object_is_named_with_its_status() -> None:
    one = image()
    with scp(lambda _: 0xA700) as peer, pytest.raises(PeerError, match=f"{one.SOPInstanceUID}.*0xA700"):
        store(peer, [one])


def test_a_refused_class_is_named() -> None:
    mixed = [image(), image(SOPClassUID=MRImageStorage)]
    with scp(lambda _: 0x0000) as peer, pytest.raises(PeerError, match=str(MRImageStorage)):
        store(peer, mixed)


def test_a_rejected_association_says_where_to_look() -> None:
    with scp(lambda _: 0, title="OTHER", strict=True) as peer, pytest.raises(Rejected) as caught:
        store(peer, [image()])
    assert "scp.peers" in caught.value.hint


# pynetdicom 3.0.4 does not close the socket of a refused connection.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_nobody_there_is_a_peer_error() -> None:
    with pytest.raises(PeerError, match=r"no association with SCP at 127\.0\.0\.1"):
        store(Peer("127.0.0.1", free_ports(1)[0], "SCP", "SCU", timeout=5), [image()])
    gc.collect()


def test_contexts_are_one_per_class_and_syntax() -> None:
    found = contexts([image(), image(), image(SOPClassUID=MRImageStorage)])
    assert [str(context.abstract_syntax) for context in found] == [str(CTImageStorage), str(MRImageStorage)]


def test_an_echo_is_answered_or_rejected() -> None:
    with scp(lambda _: 0) as peer:
        echo(peer)
    with scp(lambda _: 0, title="OTHER", strict=True) as peer, pytest.raises(Rejected):
        echo(peer)


def test_the_bytes_that_are_sent_are_told_beforehand() -> None:
    received: list[bytes] = []

    def take(event: evt.Event) -> int:
        received.append(event.request.DataSet.getvalue())  # type: ignore[union-attr]  # of a C-STORE it is there
        return 0x0000

    one = image()
    with scp(take) as peer:
        store(peer, [one])
    assert received == [encoded(one)]
