"""Exit codes: every error has one, and the table explains each."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from appliance import errors
from appliance.cli.exit_codes import MEANINGS, RULES, ExitCode, epilogue, exit_code

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "cli.md"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigurationError("x"), 78),
        (errors.SchemaMismatch("x"), 78),
        (errors.NotFound("x"), 66),
        (errors.AlreadyRunning("x"), 75),
        (errors.Unparseable("x"), 65),
        (errors.DiskFull("x"), 73),
        (errors.ArchiveFailed("x"), 74),
        (errors.PeerError("x"), 69),
        (errors.DeliveryError("x"), 69),
        (PermissionError(13, "x"), 74),
        (ValueError("x"), 70),
    ],
)
def test_an_error_ends_with_its_familys_code(error: Exception, code: int) -> None:
    assert exit_code(error) == code


def test_a_retryable_archive_error_is_temporary() -> None:
    class Busy(errors.ArchiveError):
        retryable = True

    assert exit_code(Busy("x")) is ExitCode.TEMPORARY


def test_every_error_of_the_tree_has_a_rule_of_its_family() -> None:
    tree = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.ApplianceError)]
    for kind in tree:
        family = next(rule.family for rule in RULES if issubclass(kind, rule.family))
        assert kind is errors.ApplianceError or family is not errors.ApplianceError, kind


def test_every_code_has_a_meaning_in_help_and_document() -> None:
    text = DOCUMENT.read_text()
    for code in ExitCode:
        assert MEANINGS[code] in epilogue()
        assert f"| {code.value} | {MEANINGS[code]} |" in text
