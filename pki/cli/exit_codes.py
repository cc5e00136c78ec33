"""Errors to exit codes: the command's one translation table (numbers after sysexits.h)."""

from __future__ import annotations

from enum import IntEnum

from pki import errors


class ExitCode(IntEnum):
    """What a verb's end means to the script that called it."""

    OK = 0
    FINDINGS = 1
    BROKEN = 2
    USAGE = 64
    REFUSED = 65
    NOT_FOUND = 66
    INTERNAL = 70
    EXISTS = 73
    INPUT_OUTPUT = 74
    BUSY = 75
    LOCKED = 77
    DAMAGED = 78
    INTERRUPTED = 130


MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "done, and all is well",
    ExitCode.FINDINGS: "check: something is due or odd; renew: something could not be renewed",
    ExitCode.BROKEN: "check: something is broken and will be refused, or is not safe",
    ExitCode.USAGE: "the command line is wrong",
    ExitCode.REFUSED: "a name, a request or a lifetime is not allowed",
    ExitCode.NOT_FOUND: "what was named does not exist, or there is no authority yet",
    ExitCode.INTERNAL: "a defect of this program",
    ExitCode.EXISTS: "it is there already and is not overwritten",
    ExitCode.INPUT_OUTPUT: "a file could not be read or written",
    ExitCode.BUSY: "another run is at work; the same command may work later",
    ExitCode.LOCKED: "no passphrase, a wrong one, or not this user's directory",
    ExitCode.DAMAGED: "a file is not what it should be",
    ExitCode.INTERRUPTED: "interrupted from the keyboard",
}

RULES: tuple[tuple[type[Exception], ExitCode], ...] = (
    (errors.Refused, ExitCode.REFUSED),
    (errors.Missing, ExitCode.NOT_FOUND),
    (errors.Exists, ExitCode.EXISTS),
    (FileExistsError, ExitCode.EXISTS),
    (errors.Busy, ExitCode.BUSY),
    (errors.Locked, ExitCode.LOCKED),
    (errors.Damaged, ExitCode.DAMAGED),
    (OSError, ExitCode.INPUT_OUTPUT),
)


def exit_code(error: Exception) -> ExitCode:
    """Return the exit code of an error."""
    return next((code for family, code in RULES if isinstance(error, family)), ExitCode.INTERNAL)


def epilogue() -> str:
    """The table as a paragraph for `--help`."""
    return "\b\nExit codes:\n" + "\n".join(f"  {code.value:<5}{MEANINGS[code]}" for code in ExitCode)
