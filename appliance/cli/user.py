"""`appliance user`: who may log in to the web room."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from appliance.access.book import FILE, Book
from appliance.access.faults import NameTaken, Unfit
from appliance.access.roles import PERSONAL, Role
from appliance.access.setup import VALID_HOURS
from appliance.cli.installation import Installation, pass_installation, usable
from appliance.cli.output import print_json, print_rows, timed
from appliance.cli.owner import acting_for
from appliance.cli.secret import password_file_option, read_password

COLUMNS = ("name", "role", "enabled", "login_at", "changed_at")
AUDIT_COLUMNS = ("noted_at", "fact", "name", "address", "detail")


@contextmanager
def book_of(installation: Installation) -> Iterator[Book]:
    """The accounts of an installation. What a person typed that cannot be becomes a usage error."""
    installation.require_database()
    home = installation.settings.home
    try:
        with usable(home), acting_for(home), Book(home) as book:
            yield book
    except (Unfit, NameTaken) as refusal:
        raise click.UsageError(refusal.message) from None


def setup_lines(installation: Installation, book: Book) -> list[str]:
    """Make a set-up code; what to say of it."""
    web = installation.settings.web
    return [
        f"Set-up code: {book.setup.make()}",
        f"It makes the first administrator, once, within {VALID_HOURS} hours: {web.address}/setup",
    ]


@click.group()
def user() -> None:
    """Accounts of people, in access.db of the home."""


@user.command()
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in PERSONAL]), required=True, help="What they may do.")
@password_file_option
@pass_installation
def add(installation: Installation, name: str, role: str, password_file: Path | None) -> None:
    """Add an account; the password is asked for, or read from a file."""
    with book_of(installation) as book:
        spelled = book.accounts.add(name, Role(role), read_password(password_file))
    click.echo(f"Account {spelled} added: {role}.")


@user.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@pass_installation
def list_(installation: Installation, as_json: bool) -> None:
    """List the accounts with role and last login."""
    with book_of(installation) as book:
        rows = [{**timed(row), "enabled": bool(row["enabled"])} for row in book.accounts.list()]
    print_rows(rows, COLUMNS, as_json=as_json, empty="There is no account. Make one: appliance user setup-code")


@user.command()
@click.argument("name")
@pass_installation
def disable(installation: Installation, name: str) -> None:
    """Close an account: its sessions end within seconds, and it cannot log in."""
    with book_of(installation) as book:
        book.accounts.disable(name)
    click.echo("Account disabled; its sessions have ended.")


@user.command()
@click.argument("name")
@pass_installation
def enable(installation: Installation, name: str) -> None:
    """Open a closed account again; it also ends the wait after failed attempts."""
    with book_of(installation) as book:
        book.accounts.enable(name)
    click.echo("Account enabled.")


@user.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice([role.value for role in PERSONAL]))
@pass_installation
def set_role(installation: Installation, name: str, role: str) -> None:
    """Give an account another role; its sessions end within seconds."""
    with book_of(installation) as book:
        book.accounts.set_role(name, Role(role))
    click.echo(f"Role set: {role}.")


@user.command()
@click.argument("name")
@password_file_option
@pass_installation
def reset(installation: Installation, name: str, password_file: Path | None) -> None:
    """Set another password; every session of the account ends."""
    with book_of(installation) as book:
        book.accounts.reset(name, read_password(password_file))
    click.echo("Password set; the account's sessions have ended.")


@user.command("setup-code")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@pass_installation
def setup_code(installation: Installation, as_json: bool) -> None:
    """Print a code that makes an administrator on the page /setup, once; the code before is void."""
    with book_of(installation) as book:
        if as_json:
            print_json({"code": book.setup.make(), "hours": VALID_HOURS})
        else:
            for line in setup_lines(installation, book):
                click.echo(line)


@user.command()
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@pass_installation
def audit(installation: Installation, limit: int, as_json: bool) -> None:
    """List logins, logouts, failures and changes of accounts and tokens."""
    with book_of(installation) as book:
        rows = [timed(row) for row in book.audit(limit)]
    print_rows(rows, AUDIT_COLUMNS, as_json=as_json, empty=f"Nothing has happened yet in {FILE}.")
