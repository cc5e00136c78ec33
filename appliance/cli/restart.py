"""When a room that ended is started again: a pure rule."""

from __future__ import annotations

from dataclasses import dataclass, replace

from appliance.cli.exit_codes import ExitCode

FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
STEADY_SECONDS = 60.0
PATIENCE = 5
HOPELESS = frozenset({ExitCode.CONFIGURATION, ExitCode.USAGE})


@dataclass(frozen=True, slots=True)
class History:
    """How often in a row a room has ended soon after its start."""

    failures: int = 0

    def ended(self, lasted: float) -> History:
        """The history after one more end; a run of STEADY_SECONDS wipes the slate."""
        return replace(self, failures=1 if lasted >= STEADY_SECONDS else self.failures + 1)

    @property
    def delay(self) -> float:
        """Seconds to wait before the next start: doubling, up to LONGEST_DELAY."""
        return min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(self.failures - 1, 10)) if self.failures else 0.0


def hopeless(code: int, failures: int = 0) -> bool:
    """Whether a restart cannot help: the configuration is wrong, or `failures` quick ends in a row said "not now"."""
    return code in HOPELESS or (code == ExitCode.TEMPORARY and failures >= PATIENCE)


def ending(code: int) -> str:
    """How a process ended, in words: its exit code, or the signal that killed it."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"
