"""`appliance init --system`: a machine becomes a box, or takes up what has changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from appliance.access.setup import VALID_HOURS
from appliance.care.setup.answers import answered
from appliance.care.setup.machine import Machine, addresses, host_name
from appliance.care.setup.plan import Outlook, applied, outlook, plan
from appliance.care.setup.standing import front_in_force
from appliance.care.setup.step import Step, is_due, warns
from appliance.cli.exit_codes import ExitCode
from appliance.cli.group import report
from appliance.cli.output import print_json, print_rows
from appliance.errors import ConfigurationError

COLUMNS = ("part", "name", "action", "detail", "warning")
LONGEST_BYTES = 65536


def set_up(machine: Machine, answers: Path | None, *, dry_run: bool, as_json: bool, restarts: bool) -> ExitCode:
    """Plan and, unless it is a dry run, apply; print the steps and what is to be shown once.

    Returns FINDINGS for warnings, for failures that the box can go on with, and for a dry run that would change
    something. Raises ConfigurationError, OSError.
    """
    look = _look(machine, answers)
    steps = plan(look, restarts=restarts)
    done = applied([] if dry_run else steps)
    if as_json:
        code = {"setup_code": done.once[0]} if done.once else {}
        failures = [{"message": error.message, "hint": error.hint} for error in done.failures]
        rows = [step.document() for step in steps]
        print_json({"dry_run": dry_run, "steps": rows, "failures": failures, **code})
    else:
        _say(look, steps, done.once)
    for error in done.failures:
        report(error.message, error.hint)
    finding = warns(steps) or bool(done.failures) or (dry_run and is_due(steps))
    return ExitCode.FINDINGS if finding else ExitCode.OK


def show_answers(machine: Machine, *, as_json: bool) -> None:
    """Print the answers in force: a JSON object, or `name=value` lines for the installer's script."""
    found = _look(machine, None).answers.document()
    if front_in_force(machine) is None:  # nobody has answered that, or set-up did not get so far
        del found["https_address"]
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        text = " ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
        click.echo(f"{name}={text}")


def _look(machine: Machine, answers: Path | None) -> Outlook:
    text = _text(answers) if answers is not None else None
    return outlook(machine, host_name(), addresses(), (lambda now: answered(text, now)) if text is not None else None)


def _text(answers: Path) -> str:
    with click.open_file(str(answers), "rb") as file:
        found = file.read(LONGEST_BYTES)
    try:
        return str(found, "utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError("the answers are not UTF-8", hint="give them in a UTF-8 locale") from None


def _say(look: Outlook, steps: Sequence[Step], once: Sequence[str]) -> None:
    rows = [step.document() for step in steps]
    print_rows(rows, COLUMNS, as_json=False, empty="")
    for code in once:
        click.echo(f"Set-up code: {code}")
        name, address = look.answers.https_name, look.answers.https_address
        click.echo(
            f"It makes the first administrator, once, within {VALID_HOURS} hours: https://{name}/setup ({address})"
        )
