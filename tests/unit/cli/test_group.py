"""Expected errors end as sentences, with the exit code of their family."""

from __future__ import annotations

import errno

import click
import pytest
from click.testing import CliRunner, Result

from appliance.cli.group import Verbs
from appliance.errors import ConfigurationError, NotFound


def failing(error: BaseException) -> Result:
    @click.group(cls=Verbs)
    def group() -> None:
        """A group."""

    @group.command()
    def verb() -> None:
        """A verb."""
        raise error

    return CliRunner().invoke(group, ["verb"])


def test_an_error_says_what_happened_and_what_to_do_next() -> None:
    result = failing(NotFound("there is no event 7", hint="appliance outbox list shows the numbers"))
    assert result.exit_code == 66
    assert result.stderr == "appliance: there is no event 7\n  next: appliance outbox list shows the numbers\n"
    assert result.stdout == ""


def test_several_mistakes_come_line_by_line() -> None:
    result = failing(ConfigurationError("two mistakes:\nscp.port: x\nscp.host: \x1b[2J"))
    assert result.stderr == "appliance: two mistakes:\n  scp.port: x\n  scp.host: \\x1b[2J\n"


def test_an_operating_system_error_names_its_file() -> None:
    result = failing(PermissionError(errno.EACCES, "Permission denied", "/var/lib/x"))
    assert result.exit_code == 74
    assert "Permission denied: /var/lib/x" in result.stderr


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.EACCES, "own user"), (errno.ENOENT, "directory has to be there"), (errno.EIO, "check disk and rights")],
)
def test_an_operating_system_error_has_a_hint_of_its_own(number: int, words: str) -> None:
    assert words in failing(OSError(number, "x", "/y")).stderr


def test_an_interrupt_is_130() -> None:
    assert failing(KeyboardInterrupt()).exit_code == 130


def test_a_defect_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        raise failing(ZeroDivisionError()).exception or AssertionError
