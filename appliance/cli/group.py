"""The command group that ends every expected error as a sentence instead of a traceback."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any

import click

from appliance.cli.exit_codes import ExitCode, exit_code
from appliance.cli.output import cell
from appliance.errors import ApplianceError

OTHERWISE = "run it as the appliance's own user (or root), and check disk and rights"
HINTS: Mapping[int, str] = {
    errno.EACCES: "run it as the appliance's own user (or root), or choose a place that user may use",
    errno.ENOENT: "check the path; the directory has to be there first",
    errno.ENOTDIR: "check the path: a part of it is a file",
}


class Verbs(click.Group):
    """A click group that reports ApplianceError and OSError: what happened, to what, what to do next."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; an expected error goes to standard error and becomes an exit code."""
        try:
            return super().invoke(ctx)
        except ApplianceError as error:
            report(str(error), error.hint)
            ctx.exit(exit_code(error))
        except KeyboardInterrupt:
            report("interrupted", "")
            ctx.exit(ExitCode.INTERRUPTED)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            report(sentence(error), HINTS.get(error.errno or 0, OTHERWISE))
            ctx.exit(exit_code(error))


def report(message: str, hint: str) -> None:
    """Say on standard error what happened, and below it what to do next."""
    first, *more = message.splitlines() or [""]
    click.echo(f"appliance: {cell(first)}", err=True)
    for line in more:
        click.echo(f"  {cell(line)}", err=True)
    if hint:
        click.echo(f"  next: {cell(hint)}", err=True)


def sentence(error: OSError) -> str:
    """An operating system's error with the file it is about."""
    what = error.strerror or str(error)
    return f"{what}: {error.filename}" if error.filename else what
