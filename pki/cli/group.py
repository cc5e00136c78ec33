"""The command group that ends every expected error as a sentence instead of a traceback."""

from __future__ import annotations

import errno
import traceback
from typing import Any, NoReturn

import click

from pki.cli.exit_codes import ExitCode, exit_code
from pki.cli.output import plain
from pki.errors import PkiError


class Verbs(click.Group):
    """A click group that reports PkiError and OSError: what happened, to what, what to do next.

    A wrong command line ends with 64, because 2 is what `check` says of broken certificates; a defect with 70,
    because Python's own 1 is what `check` says of something that is due.
    """

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the options before the verb."""
        try:
            return super().make_context(*args, **extra)
        except click.UsageError as error:
            vars(error)["exit_code"] = ExitCode.USAGE  # click's own is 2
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; an expected error goes to standard error and becomes an exit code."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            vars(error)["exit_code"] = ExitCode.USAGE  # click's own is 2
            raise
        except KeyboardInterrupt:
            report("interrupted", "")
            ctx.exit(ExitCode.INTERRUPTED)
        except PkiError as error:
            self._end(ctx, error, error.message, error.hint)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            what = error.strerror or str(error)
            message = f"{what}: {error.filename}" if error.filename else what
            self._end(ctx, error, message, "check the path, the disk and this user's rights")
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # boundary: the last place where a defect can still get a code of its own
            click.echo(traceback.format_exc(), err=True)
            self._end(ctx, error, f"a defect of this program: {type(error).__name__}", "report it with the lines above")

    def _end(self, ctx: click.Context, error: Exception, message: str, hint: str) -> NoReturn:
        report(message, hint)
        ctx.exit(exit_code(error))


def report(message: str, hint: str) -> None:
    """Say on standard error what happened, and below it what to do next."""
    click.echo(f"appliance-pki: {plain(message)}", err=True)
    if hint:
        click.echo(f"  next: {plain(hint)}", err=True)
