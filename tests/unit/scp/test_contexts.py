"""The context table: every storage class of the dictionaries, our order of syntaxes."""

from __future__ import annotations

from pynetdicom import StoragePresentationContexts
from pynetdicom.presentation import build_context

from appliance.model.syntaxes import find_syntax
from appliance.scp.contexts import NOT_OF_A_STUDY, VERIFICATION, ContextTable, storage_classes

CT = "1.2.840.10008.5.1.4.1.1.2"
RETIRED_US = "1.2.840.10008.5.1.4.1.1.6"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
J2K, J2K_LOSSLESS = "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.90"


def test_every_storage_class_of_pynetdicom_is_there() -> None:
    listed = {str(context.abstract_syntax) for context in StoragePresentationContexts}
    assert listed - NOT_OF_A_STUDY <= set(storage_classes())


def test_retired_classes_are_there_and_what_is_not_of_a_study_is_not() -> None:
    classes = storage_classes()
    assert {CT, RETIRED_US} <= set(classes)
    assert not NOT_OF_A_STUDY & set(classes)
    assert VERIFICATION not in classes
    assert len(classes) > 180
    assert all(name and "." not in name[:3] for name in classes.values())


def test_lossless_syntaxes_come_before_lossy_ones() -> None:
    lossy = []
    for uid in ContextTable.of().transfer_syntaxes:
        syntax = find_syntax(uid)
        assert syntax is not None and syntax.storable
        lossy.append(syntax.lossy)
    assert lossy == sorted(lossy)


def test_only_what_was_proposed_is_supported_in_our_order() -> None:
    proposed = [build_context(CT, [J2K, J2K_LOSSLESS]), build_context(CT, [EXPLICIT])]
    proposed += [build_context("1.2.3", [EXPLICIT]), build_context(VERIFICATION, [IMPLICIT])]
    supported = {
        str(context.abstract_syntax): list(context.transfer_syntax) for context in ContextTable.of().supported(proposed)
    }
    assert supported == {CT: [EXPLICIT, J2K_LOSSLESS, J2K], VERIFICATION: [IMPLICIT]}


def test_a_peers_order_is_put_first() -> None:
    table = ContextTable.of()
    preferred = table.preferring([J2K, "1.2.840.10008.1.2.4.94", J2K])
    assert preferred.transfer_syntaxes[0] == J2K
    assert set(preferred.transfer_syntaxes) == set(table.transfer_syntaxes)
    assert len(preferred.transfer_syntaxes) == len(table.transfer_syntaxes)
    assert table.preferring([]) is table
