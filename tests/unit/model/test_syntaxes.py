"""Transfer syntaxes: all of the dictionary, in an order that prefers what loses nothing."""

from __future__ import annotations

from pydicom._uid_dict import UID_dictionary

from appliance.model.syntaxes import TRANSFER_SYNTAXES, find_syntax, storable_syntaxes

# Never data sets of a DICOM association: a foreign format and two ways of wrapping documents.
NO_DATA_SETS = {"1.2.840.10008.1.20", "1.2.840.10008.1.2.6.1", "1.2.840.10008.1.2.6.2"}


def test_every_transfer_syntax_of_the_dictionary_is_known() -> None:
    listed = {uid for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"}
    assert listed - {syntax.uid for syntax in TRANSFER_SYNTAXES} == NO_DATA_SETS
    assert len({syntax.uid for syntax in TRANSFER_SYNTAXES}) == len(TRANSFER_SYNTAXES)


def test_lossless_stands_before_lossy() -> None:
    losses = [syntax.lossy for syntax in storable_syntaxes()]
    assert losses == sorted(losses)


def test_pixels_that_do_not_travel_in_the_object_are_not_stored() -> None:
    refused = {syntax.uid for syntax in TRANSFER_SYNTAXES if not syntax.storable}
    assert refused == {
        *(f"1.2.840.10008.1.2.4.{n}" for n in (94, 95, 204, 205)),
        *(f"1.2.840.10008.1.2.7.{n}" for n in (1, 2, 3)),
    }


def test_the_flags_say_how_a_data_set_is_encoded() -> None:
    implicit, big = find_syntax("1.2.840.10008.1.2"), find_syntax("1.2.840.10008.1.2.2")
    deflated, jpeg = find_syntax("1.2.840.10008.1.2.1.99"), find_syntax("1.2.840.10008.1.2.4.50")
    assert implicit and implicit.implicit and not implicit.encapsulated
    assert big and big.big_endian and not big.implicit
    assert deflated and deflated.deflated and not deflated.encapsulated
    assert jpeg and jpeg.encapsulated and jpeg.lossy
    assert find_syntax("1.2.3") is None
