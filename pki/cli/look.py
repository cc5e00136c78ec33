"""The verbs that only look: `check` and `list`."""

from __future__ import annotations

from pathlib import Path

import click

from pki import check as checks
from pki import machine
from pki.check import Grade, Report
from pki.cli.desk import Desk, json_option
from pki.cli.output import plain, print_json, table
from pki.ledger import Ledger
from pki.names import MACHINE_URI

COLUMNS: tuple[str, ...] = ("name", "state", "days_left", "not_after", "key", "names")
REGISTER: tuple[str, ...] = ("serial", "lineage", "not_after", "revoked", "names")


@click.command()
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Files that were carried to this machine, instead of the authority's directory.",
)
@click.option(
    "--crl", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="With --folder: the revocation list."
)
@json_option
@click.pass_obj
def check(desk: Desk, folder: Path | None, crl: Path | None, as_json: bool) -> None:
    """Look at everything: chains, names, days left, key files, revocation. Exit code 0, 1 (due, odd) or 2 (broken)."""
    if crl and not folder:
        raise click.UsageError("--crl goes with --folder.")
    if folder:
        reports = [checks.folder(folder, desk.clock(), machine.machine_hash(), crl)]
    else:
        reports = checks.everything(desk.layout, desk.clock())
    worst = max(report.grade for report in reports)
    if as_json:
        print_json({"state": worst.name.lower(), "reports": [_facts(report) for report in reports]})
    else:
        _say(reports)
    click.get_current_context().exit(worst)


@click.command("list")
@click.option("--all", "everything", is_flag=True, help="The register: every certificate that was ever given out.")
@json_option
@click.pass_obj
def list_(desk: Desk, everything: bool, as_json: bool) -> None:
    """List the live lineages, or with --all every serial number given out."""
    desk.layout.certificate()
    if everything:
        rows, columns = _register(desk), REGISTER
    else:
        reports = checks.everything(desk.layout, desk.clock())
        rows, columns = [_facts(one) for one in reports if one.name not in ("authority", "crl", "ledger")], COLUMNS
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo("nothing was given out yet")
    else:
        click.echo("\n".join(table(_short(rows), columns)))


def _short(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """For people: eight digits of a machine's hash are enough to tell two apart."""
    return [{**row, "names": [_abbreviated(str(name)) for name in _names(row)]} for row in rows]


def _names(row: dict[str, object]) -> list[object]:
    found = row.get("names")
    return found if isinstance(found, list) else []


def _abbreviated(name: str) -> str:
    return name[: len(MACHINE_URI) + 8] + "…" if name.startswith(MACHINE_URI) else name


def _register(desk: Desk) -> list[dict[str, object]]:
    ledger = Ledger(desk.layout.ledger)
    gone = ledger.revocations()
    return [
        {
            "serial": f"{one.serial:040x}",
            "lineage": one.lineage,
            "subject": one.subject,
            "names": list(one.names),
            "not_after": f"{one.not_after:%Y-%m-%dT%H:%M:%SZ}",
            "revoked": gone[one.serial].reason if one.serial in gone else None,
            "sha256": one.sha256,
        }
        for one in ledger.certificates()
    ]


def _facts(report: Report) -> dict[str, object]:
    found = [{"state": one.grade.name.lower(), "text": one.text, "hint": one.hint} for one in report.findings]
    return {"name": report.name, "state": report.grade.name.lower(), **report.facts, "findings": found}


def _say(reports: list[Report]) -> None:
    click.echo("\n".join(table(_short([_facts(report) for report in reports]), COLUMNS)))
    for report in reports:
        for one in report.findings:
            mark = "broken" if one.grade is Grade.BROKEN else "warning"
            click.echo(f"{mark}: {report.name}: {plain(one.text)}")
            click.echo(f"  next: {plain(one.hint)}")
