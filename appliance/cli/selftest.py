"""`appliance selftest`: a synthetic study goes the whole way, and is removed again."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from appliance.cli.exit_codes import ExitCode
from appliance.cli.installation import Installation, pass_installation
from appliance.cli.output import cell, print_json
from appliance.cli.owner import acting_as_caller

SLOWEST = 3600.0


@click.command()
@click.option(
    "--sink", "sinks", multiple=True, metavar="NAME", help="Wait for this sink alone; may be repeated.  [default: all]"
)
@click.option("--calling-ae", default="", metavar="AE", help="AE title to send as, where strangers are refused.")
@click.option(
    "--timeout",
    "seconds",
    type=click.FloatRange(1, SLOWEST),
    default=120.0,
    show_default=True,
    help="Seconds to wait for the sinks.",
)
@click.option("--keep", is_flag=True, help="Leave the study here.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@pass_installation
@click.pass_context
def selftest(
    ctx: click.Context, installation: Installation, sinks: tuple[str, ...], calling_ae: str, seconds: float,
    keep: bool, as_json: bool,
) -> None:  # fmt: skip
    """Send three synthetic images through door, archive, viewer and sinks; tell the time of each step; remove them.

    Ends with 0 when all went well, 1 when a step failed, 69 when the door or a destination cannot be reached, 75
    when a sink takes longer than --timeout, or another self-test is under way.
    """
    from appliance.care.doctor.box import Box  # here, so that no room loads pydicom for it
    from appliance.care.selftest.journey import Journey, Wishes

    wishes = Wishes(sinks, calling_ae, seconds, keep)
    settings = installation.settings
    secrets = Box(settings, environ=installation.environ).secrets
    with _ending_in_order(), installation.archive() as archive:
        tell = (lambda _step: None) if as_json else _print
        journey = Journey(settings, archive, wishes, secrets, tell, acting_as_caller)
        steps = journey.run()
    code = _code([step.outcome.value for step in steps])
    if as_json:
        print_json({"ok": code is ExitCode.OK, "steps": [dataclasses.asdict(step) for step in steps]})
    ctx.exit(code)


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """End as Ctrl-C does, after the study is removed, when a service manager or a closing terminal says so."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print(step: object) -> None:
    facts = dataclasses.asdict(step)  # type: ignore[call-overload]  # a Step, whose module is imported late
    click.echo(f"{facts['outcome']:<10}{facts['seconds']:>8.3f} s  {cell(facts['name'])}: {cell(facts['what'])}")
    if facts["mend"]:
        click.echo(f"{'':<22}next: {cell(facts['mend'])}")


def _code(outcomes: Sequence[str]) -> ExitCode:
    """The gravest of all steps decides."""
    table = (("failed", ExitCode.FINDINGS), ("unreached", ExitCode.UNAVAILABLE), ("late", ExitCode.TEMPORARY))
    return next((code for word, code in table if word in outcomes), ExitCode.OK)
