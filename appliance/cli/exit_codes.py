"""Errors to exit codes: the command line's one translation table (numbers after sysexits.h)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from appliance import errors


class ExitCode(IntEnum):
    """What a verb's end means to the script that called it."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    DATA = 65
    NOT_FOUND = 66
    UNAVAILABLE = 69
    INTERNAL = 70
    NO_SPACE = 73
    INPUT_OUTPUT = 74
    TEMPORARY = 75
    CONFIGURATION = 78
    INTERRUPTED = 130


MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "done, and nothing to report",
    ExitCode.FINDINGS: "done, but there is something to look at (not ready, findings, failed files)",
    ExitCode.USAGE: "the command line is wrong",
    ExitCode.DATA: "an object could not be accepted",
    ExitCode.NOT_FOUND: "what was named does not exist",
    ExitCode.UNAVAILABLE: "the other side refused or cannot be reached",
    ExitCode.INTERNAL: "a defect of the appliance, or a room that stopped itself to be restarted",
    ExitCode.NO_SPACE: "the disk is full down to its reserve",
    ExitCode.INPUT_OUTPUT: "the archive could not read or write its files",
    ExitCode.TEMPORARY: "not now; the same command may work later",
    ExitCode.CONFIGURATION: "the configuration or the database's version is wrong; a restart does not help",
    ExitCode.INTERRUPTED: "interrupted from the keyboard",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One family of errors and its exit code; the first rule that fits decides."""

    family: type[Exception]
    code: ExitCode


RULES: tuple[Rule, ...] = (
    Rule(errors.ConfigurationError, ExitCode.CONFIGURATION),
    Rule(errors.SchemaMismatch, ExitCode.CONFIGURATION),
    Rule(errors.NotFound, ExitCode.NOT_FOUND),
    Rule(errors.Unacceptable, ExitCode.DATA),
    Rule(errors.DiskFull, ExitCode.NO_SPACE),
    Rule(errors.ArchiveError, ExitCode.INPUT_OUTPUT),
    Rule(errors.PeerError, ExitCode.UNAVAILABLE),
    Rule(errors.DeliveryError, ExitCode.UNAVAILABLE),
    Rule(errors.ApplianceError, ExitCode.INTERNAL),
    Rule(OSError, ExitCode.INPUT_OUTPUT),
)


def exit_code(error: Exception) -> ExitCode:
    """The exit code of an error: its family's, except that a retryable one without a better word is 75."""
    code = next((rule.code for rule in RULES if isinstance(error, rule.family)), ExitCode.INTERNAL)
    retryable = isinstance(error, errors.ApplianceError) and error.retryable
    if retryable and code not in (ExitCode.NO_SPACE, ExitCode.UNAVAILABLE):
        return ExitCode.TEMPORARY
    return code


def epilogue() -> str:
    """The table as a paragraph for `--help`."""
    return "\b\nExit codes:\n" + "\n".join(f"  {code.value:<5}{MEANINGS[code]}" for code in ExitCode)
