"""The tree of errors."""

from __future__ import annotations

import pytest

from appliance import errors

FAMILIES = (errors.ConfigurationError, errors.PeerError, errors.ArchiveError, errors.DeliveryError)
EVERY = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ApplianceError)]


def test_every_error_but_the_root_belongs_to_one_family() -> None:
    for kind in EVERY:
        if kind is not errors.ApplianceError:
            assert sum(issubclass(kind, family) for family in FAMILIES) == 1


@pytest.mark.parametrize("kind", EVERY)
def test_an_error_says_what_happened_and_what_to_do(kind: type[errors.ApplianceError]) -> None:
    error = kind("the disk is gone", hint="Plug it in.")
    assert (str(error), error.hint) == ("the disk is gone", "Plug it in.")
    assert not kind("x").hint


def test_only_a_lack_that_passes_by_itself_is_retryable() -> None:
    assert {kind for kind in EVERY if kind.retryable} == {errors.DiskFull, errors.Busy, errors.AlreadyRunning}


def test_an_unacceptable_object_has_a_reason() -> None:
    assert errors.Unparseable("no SOP Instance UID").reason == "no SOP Instance UID"
