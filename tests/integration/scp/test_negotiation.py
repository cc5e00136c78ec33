"""Which presentation contexts are accepted, and who may open an association."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID
from pynetdicom import AE, build_role
from pynetdicom.pdu_primitives import (
    AsynchronousOperationsWindowNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)

from appliance.scp.access import Peer
from tests.builders import instances
from tests.builders.instances import CT_IMAGE_STORAGE as CT
from tests.integration.scp.doors import open_door
from tests.partners import dcmtk
from tests.partners.raw_scu import EXPLICIT, IMPLICIT, VERIFICATION, RawScu, Rejected, associate_request

HOST = "127.0.0.1"
J2K_LOSSLESS, J2K = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPIP = "1.2.840.10008.1.2.4.94"
SMPTE = "1.2.840.10008.1.2.7.1"
PRIVATE = "1.3.12.2.1107.5.9.1"


def test_the_acceptor_chooses_by_its_own_order_lossless_before_lossy() -> None:
    contexts = ((CT, (JPEG_BASELINE, J2K, J2K_LOSSLESS)), (CT, (J2K_LOSSLESS, IMPLICIT, EXPLICIT)))
    with open_door() as door, RawScu(HOST, door.port, contexts=contexts) as scu:
        assert scu.accepted == {1: J2K_LOSSLESS, 3: EXPLICIT}


def test_a_peers_own_order_comes_first_and_refuses_nothing() -> None:
    peer = Peer("CT1", transfer_syntaxes=(JPEG_BASELINE, JPIP))
    contexts = ((CT, (EXPLICIT, JPEG_BASELINE)), (CT, (IMPLICIT, EXPLICIT)), (CT, (JPIP,)))
    with open_door(peers=[peer]) as door:
        with RawScu(HOST, door.port, calling="CT1", contexts=contexts) as scu:
            assert scu.accepted == {1: JPEG_BASELINE, 3: EXPLICIT}
        with RawScu(HOST, door.port, calling="OTHER", contexts=contexts) as scu:
            assert scu.accepted == {1: EXPLICIT, 3: EXPLICIT}


def test_pixels_that_do_not_travel_in_the_object_are_not_accepted() -> None:
    contexts = ((CT, (JPIP,)), (CT, (SMPTE,)), (CT, ("1.2.3.4",)), (CT, (EXPLICIT,)))
    with open_door() as door, RawScu(HOST, door.port, contexts=contexts) as scu:
        assert scu.results == {1: 4, 3: 4, 5: 4, 7: 0}


def test_unknown_abstract_syntaxes_are_rejected_as_such() -> None:
    contexts = (("1.2.3.4.5", (EXPLICIT,)), (PRIVATE, (EXPLICIT,)), (CT, (EXPLICIT,)))
    with open_door() as door, RawScu(HOST, door.port, contexts=contexts) as scu:
        assert scu.results == {1: 3, 3: 3, 5: 0}


def test_a_configured_private_class_is_stored() -> None:
    with open_door(private_sop_classes=[PRIVATE]) as door:
        with RawScu(HOST, door.port, contexts=((PRIVATE, (EXPLICIT,)),)) as scu:
            assert scu.store(PRIVATE, "1.2.3", EXPLICIT, b"data") == 0
        assert door.ingest.received[0].sop_class_uid == PRIVATE


def test_an_association_without_an_acceptable_context_stands_and_ends() -> None:
    with open_door() as door, RawScu(HOST, door.port, contexts=(("1.2.3.4.5", (EXPLICIT,)),)) as scu:
        assert scu.accepted == {}


def test_128_contexts_of_many_syntaxes_are_negotiated() -> None:
    contexts = tuple((CT, (J2K_LOSSLESS, J2K, JPEG_BASELINE, EXPLICIT, IMPLICIT)) for _ in range(128))
    with open_door() as door, RawScu(HOST, door.port, contexts=contexts) as scu:
        assert len(scu.accepted) == 128


def test_the_length_we_advertise_is_the_one_configured() -> None:
    with open_door(max_pdu=65536) as door, RawScu(HOST, door.port) as scu:
        assert scu.peer_max_pdu == 65536


def test_an_unknown_caller_is_rejected_and_remembered() -> None:
    with open_door(accept_unknown=False) as door:
        with pytest.raises(Rejected) as caught:
            RawScu(HOST, door.port, calling="STRANGER").open()
        assert caught.value.codes == (1, 1, 3)
        assert door.callers.rejected == [("STRANGER", HOST, "unknown calling AE title")]
        assert door.tally.snapshot()["associations"]["rejected"] == {"unknown calling AE title": 1}


def test_a_known_title_from_another_address_is_rejected() -> None:
    with open_door(peers=[Peer("CT1", "192.0.2.7")]) as door:
        with pytest.raises(Rejected) as caught:
            RawScu(HOST, door.port, calling="CT1").open()
        assert caught.value.codes == (1, 1, 3)


def test_another_called_title_is_rejected_when_ours_is_required() -> None:
    with open_door(require_called_ae=True) as door:
        with RawScu(HOST, door.port, called="APPLIANCE") as scu:
            assert scu.echo() == 0
        with pytest.raises(Rejected) as caught:
            RawScu(HOST, door.port, called="OTHER").open()
        assert caught.value.codes == (1, 1, 7)


def test_dcmtk_understands_the_rejection() -> None:
    with open_door(accept_unknown=False) as door:
        done = dcmtk.echoscu(dcmtk.Peer(door.port), check=False)
        assert "Calling AE Title Not Recognized" in done.stderr


def test_another_protocol_version_is_rejected() -> None:
    with open_door() as door:
        scu = RawScu(HOST, door.port).connect()
        contexts = ((VERIFICATION, (IMPLICIT,)),)
        scu.send(associate_request("A", "APPLIANCE", contexts, protocol_version=2))
        with pytest.raises(Rejected) as caught:
            scu.read_pdu()
        assert caught.value.codes == (1, 2, 2)
        scu.close()


def test_roles_identity_and_extended_negotiation_do_no_harm() -> None:
    entity = AE("PYNETDICOM")
    entity.add_requested_context(CT, [EXPLICIT])
    entity.add_requested_context(VERIFICATION, [IMPLICIT])
    identity = UserIdentityNegotiation()
    identity.user_identity_type = 2
    identity.primary_field = b"somebody"
    identity.secondary_field = b"secret"
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = 5
    extended = SOPClassExtendedNegotiation()
    extended.sop_class_uid = CT
    extended.service_class_application_information = b"\x02\x00\x03\x00\x01\x00"
    offered: list[Any] = [build_role(CT, scu_role=True, scp_role=True), identity, window, extended]
    with open_door() as door:
        association = entity.associate(HOST, door.port, ext_neg=offered)
        assert association.is_established
        assert association.send_c_echo().Status == 0
        dataset = instances.ct()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = UID(EXPLICIT)
        assert association.send_c_store(dataset).Status == 0
        association.release()
        assert door.ingest.received[0].origin.ae_title == "PYNETDICOM"
