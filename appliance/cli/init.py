"""`appliance init`: make the home directory, the database and its tables; with `--system` all else a box needs."""

from __future__ import annotations

from pathlib import Path

import click

from appliance.care.setup.machine import Machine
from appliance.cli.installation import Installation, pass_installation
from appliance.cli.system import set_up, show_answers
from appliance.cli.user import book_of, setup_lines

NEEDS_SYSTEM = "--answers, --show-answers, --dry-run, --json and --no-restart go with --system."


@click.command()
@click.option(
    "--system", is_flag=True, help="Set this machine up as a box: configuration, certificates, doors. As root."
)
@click.option(
    "--answers", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="With --system: answers, as JSON object or name=value lines; - is standard input. What is left out stays.",
)  # fmt: skip
@click.option("--show-answers", is_flag=True, help="With --system: print the answers in force, and do nothing.")
@click.option("--dry-run", is_flag=True, help="With --system: say what would change; exit code 1 if anything would.")
@click.option("--no-restart", is_flag=True, help="With --system: leave it to the caller to restart the services.")
@click.option("--json", "as_json", is_flag=True, help="With --system: print a JSON object.")
@click.option("--no-code", is_flag=True, help="Print no set-up code.")
@pass_installation
@click.pass_context
def init(
    ctx: click.Context, installation: Installation, system: bool, answers: Path | None, show_answers: bool,
    dry_run: bool, no_restart: bool, as_json: bool, no_code: bool,
) -> None:  # fmt: skip
    """Create home directory, file store and databases, or bring them up to date; safe to repeat.

    While there is no account it prints a set-up code, each time another one.
    """
    if not system:
        if answers or show_answers or dry_run or no_restart or as_json:
            raise click.UsageError(NEEDS_SYSTEM)
        _initialise(installation, with_code=not no_code)
    elif show_answers:
        _show(as_json)
    else:
        ctx.exit(set_up(Machine(), answers, dry_run=dry_run, as_json=as_json, restarts=not no_restart))


def _initialise(installation: Installation, *, with_code: bool) -> None:
    installation.initialise()
    click.echo(f"Initialised {installation.settings.home}")
    if with_code and installation.settings.web.login == "required":
        with book_of(installation) as book:
            if not book.accounts.count():
                for line in setup_lines(installation, book):
                    click.echo(line)


def _show(as_json: bool) -> None:
    show_answers(Machine(), as_json=as_json)
