"""Problems and statuses: every error of the tree has one."""

from __future__ import annotations

import pytest

from appliance.dicomweb.problems import STATUSES, Problem, problem_of, status_of
from appliance.errors import ApplianceError, ArchiveError, DiskFull, Misidentified, NotFound, TooLarge


def family(kind: type[ApplianceError]) -> list[type[ApplianceError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in family(child))]


@pytest.mark.parametrize("kind", family(ApplianceError))
def test_every_error_of_the_tree_has_a_status(kind: type[ApplianceError]) -> None:
    assert 400 <= status_of(kind.__new__(kind)) < 600


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("x"), 404),
        (TooLarge("x"), 413),
        (DiskFull("x"), 507),
        (Misidentified("x"), 409),
        (ArchiveError("x"), 503),
    ],
)
def test_statuses_say_what_happened(error: ApplianceError, status: int) -> None:
    assert status_of(error) == status


def test_no_row_of_the_table_hides_a_narrower_one() -> None:
    for number, (kind, _) in enumerate(STATUSES):
        assert not any(issubclass(later, kind) for later, _ in STATUSES[number + 1 :])


def test_a_problem_is_a_json_object_of_rfc_9457() -> None:
    error = NotFound("no such study", hint="look elsewhere")
    assert problem_of(error).document() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "no such study",
        "hint": "look elsewhere",
    }
    assert "detail" not in Problem(406).document()
