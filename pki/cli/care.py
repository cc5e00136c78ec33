"""The verbs over time: `renew` and `revoke`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from pki import lineage, renewal, revocation, telling
from pki.cli.authority import say_list
from pki.cli.desk import Desk, passphrase_option, say_live
from pki.cli.exit_codes import ExitCode
from pki.cli.group import report
from pki.errors import PkiError, Refused
from pki.layout import Layout
from pki.ledger import Entry
from pki.renewal import Outcome, Verdict

LEFT: dict[Verdict, str] = {
    Verdict.REVOKED: "issue it anew with --replace, or take it out of use: revoke NAME --retire",
    Verdict.FOREIGN_KEY: "its key is elsewhere: sign a new request with --replace, or renew it with --reuse-key",
    Verdict.AUTHORITY_ENDS: "the authority ends first; make a new authority in another directory and spread it",
}


hooks_option = click.option(
    "--on-change",
    "hooks",
    multiple=True,
    metavar="COMMAND",
    callback=lambda *found: _commands(found[2]),
    help="Run it when something in force is another than when it last ran well; repeatable.",
)


@click.command()
@click.option("--name", "only", multiple=True, help="Only this lineage; repeatable.")
@click.option("--force", is_flag=True, help="Also what is not due; needs --name.")
@click.option("--reuse-key", is_flag=True, help="Keep the key instead of making a new one.")
@hooks_option
@passphrase_option
@click.pass_obj
def renew(
    desk: Desk, only: tuple[str, ...], force: bool, reuse_key: bool, hooks: tuple[list[str], ...],
    passphrase_file: Path | None,
) -> None:  # fmt: skip
    """Renew what is past two thirds of its life, and the revocation list with it.

    Same names, same profile, a new key. Safe to repeat by a timer: what is not due stays as it is. Exit code 1
    when something is due and could not be renewed, or a command of --on-change failed: the next run repeats it.
    """
    if force and not only:
        raise click.UsageError("--force needs --name: say what to renew before its time.")
    authority = desk.authority(passphrase_file)
    layout, now = desk.layout, desk.clock()
    with layout.changing():
        wanted = [lineage.current(layout, name) for name in only] or list(lineage.all_of(layout))
        gone = revocation.known(layout, authority.certificate)
        outcomes = renewal.renew(layout, authority, wanted, gone, now=now, force=force, reuse_key=reuse_key)
        if revocation.is_due(revocation.in_force(layout), now):
            found = revocation.publish(layout, authority, now=now)
            say_list(desk, found.next_update_utc, len(found))
    worst = max([_told(desk, outcome) for outcome in outcomes], default=ExitCode.OK)
    if not any(outcome.verdict is not Verdict.NOT_DUE for outcome in outcomes):
        click.echo("nothing is due")
    click.get_current_context().exit(max(worst, _tell(layout, hooks)))


@click.command()
@click.argument("name_or_serial")
@click.option(
    "--reason",
    type=click.Choice(revocation.REASONS),
    default="unspecified",
    show_default=True,
    help="Why, for the list.",
)
@click.option("--retire", is_flag=True, help="Also take the lineage out of use: nothing renews or checks it any more.")
@hooks_option
@passphrase_option
@click.pass_obj
def revoke(
    desk: Desk, name_or_serial: str, reason: str, retire: bool, hooks: tuple[list[str], ...],
    passphrase_file: Path | None,
) -> None:  # fmt: skip
    """Revoke all certificates of a lineage that have not ended, or the one of a serial number, for good.

    Works from the register of serial numbers: the files may be lost. The doors refuse it once they have the new list;
    exit code 1 when a command of --on-change failed, though it is revoked.
    """
    authority = desk.authority(passphrase_file)
    with desk.layout.changing():
        if retire:
            lineage.current(desk.layout, name_or_serial)
        entries = _chosen(desk, name_or_serial, retire=retire)
        found = revocation.revoke(desk.layout, authority, entries, reason, now=desk.clock())
        if retire:
            lineage.retire(desk.layout, name_or_serial)
    for one in entries:
        click.echo(f"revoked {one.serial:040x} ({one.lineage}, {one.subject})")
    if retire:
        click.echo(f"{name_or_serial} is out of use; its files stay in {desk.layout.archive / name_or_serial}")
    say_list(desk, found.next_update_utc, len(found))
    click.get_current_context().exit(_tell(desk.layout, hooks))


def _commands(texts: tuple[str, ...]) -> tuple[list[str], ...]:
    """The words of each command. Raises BadParameter for one with an open quote, or none."""
    try:
        found = tuple(shlex.split(text) for text in texts)
    except ValueError as error:
        raise click.BadParameter(f"not a command: {error}") from None
    if not all(found):
        raise click.BadParameter("an empty command")
    return found


def _tell(layout: Layout, hooks: tuple[list[str], ...]) -> ExitCode:
    """Run the commands if anything in force has changed since they last ran well."""
    if not hooks:
        return ExitCode.OK
    with layout.changing():
        failures = [] if telling.is_told(layout) else telling.tell(layout, hooks)
    for failure in failures:
        report(f"{failure.command}: {failure.reason}", "mend it; the next run of renew tries it again")
    return ExitCode.FINDINGS if failures else ExitCode.OK


def _chosen(desk: Desk, word: str, *, retire: bool) -> list[Entry]:
    """What to revoke. What is revoked or over already can still be retired."""
    try:
        return revocation.chosen(desk.layout, word, now=desk.clock())
    except Refused:
        if retire:
            return []
        raise


def _told(desk: Desk, outcome: Outcome) -> ExitCode:
    """Print what became of a lineage; return what it means."""
    if outcome.error is not None:
        hint = outcome.error.hint if isinstance(outcome.error, PkiError) else "check the disk and this user's rights"
        report(f"{outcome.name} is not renewed: {outcome.error}", hint)
        return ExitCode.FINDINGS
    if outcome.verdict in LEFT:
        report(f"{outcome.name} is not renewed: {outcome.verdict}", LEFT[outcome.verdict])
        return ExitCode.FINDINGS
    if outcome.verdict is Verdict.RENEW:
        say_live(outcome.live, desk.layout)
    return ExitCode.OK
