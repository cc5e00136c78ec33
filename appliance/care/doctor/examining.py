"""Running the checks: beside each other, each with a time of its own, told in the order of the table.

A check that hangs is a finding. Its thread is left behind (it is a daemon, and ends with the process), for
nothing can end a thread that waits for a name server or a dead disk.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from appliance.care.doctor.box import Box
from appliance.care.doctor.finding import Finding, Verdict, fault, skipped
from appliance.errors import ApplianceError

AT_ONCE = 8
SECONDS = 10.0


def _one(box: Box) -> Sequence[str]:
    return ("",)


@dataclass(frozen=True, slots=True)
class Check:
    """A kind of examination: its name, what it says of one subject, which subjects there are, how long it may take.

    With `inside` only root and the owner of the home can see it.
    """

    name: str
    examine: Callable[[Box, str], Verdict]
    subjects: Callable[[Box], Sequence[str]] = _one
    seconds: float = SECONDS
    inside: bool = False


@dataclass(slots=True)
class Visit:
    """A check on its way."""

    check: Check
    subject: str
    done: threading.Event = field(default_factory=threading.Event)
    begun: float | None = None
    verdict: Verdict | None = None

    @property
    def name(self) -> str:
        """The name of the line."""
        return f"{self.check.name} {self.subject}".rstrip()

    def run(self, box: Box) -> None:
        """Examine, and keep the verdict."""
        if self.check.inside and not box.is_insider:
            self.verdict = skipped("only root and the owner of the home can see it")
            return
        try:
            self.verdict = self.check.examine(box, self.subject)
        except ApplianceError as error:
            self.verdict = fault(error.message, error.hint or "see docs/operations.md")
        except PermissionError as error:
            self.verdict = skipped(f"{error.filename or 'a file'} may not be read by this user; run it as root")
        except Exception as error:  # boundary: a defect of one check must not keep the other lines back
            name = type(error).__name__
            self.verdict = fault(f"the check itself failed ({name})", "report it, with the appliance's version")

    def finding(self) -> Finding:
        """Return what came of it."""
        seconds = f"{self.check.seconds:g} s"
        late = fault(f"no answer within {seconds}", "something hangs: check the disk, the name server or the line")
        return Finding.of(self.name, self.verdict if self.done.is_set() and self.verdict else late)


def visits(checks: Sequence[Check], box: Box, only: Sequence[str] = ()) -> list[Visit]:
    """Return what there is to look at, in order; `only` names checks, or single lines."""
    found = [Visit(check, subject) for check in checks for subject in check.subjects(box)]
    return [one for one in found if not only or one.check.name in only or one.name in only]


def examine(
    chosen: Sequence[Visit], box: Box, seen: Callable[[Finding], None] = lambda _finding: None
) -> list[Finding]:
    """Run the visits, some at a time, and return their findings in their order; `seen` is told of each as it is due."""
    return list(_each(chosen, box, seen))


def _each(chosen: Sequence[Visit], box: Box, seen: Callable[[Finding], None]) -> Iterator[Finding]:
    slots = threading.Semaphore(AT_ONCE)
    begun = threading.Condition()
    starter = threading.Thread(target=_start, args=(chosen, box, slots, begun), name="doctor", daemon=True)
    starter.start()
    for visit in chosen:
        with begun:
            begun.wait_for(lambda one=visit: one.begun is not None)  # type: ignore[misc]  # bound now
        assert visit.begun is not None
        visit.done.wait(max(0.0, visit.begun + visit.check.seconds - time.monotonic()))
        finding = visit.finding()
        seen(finding)
        yield finding


def _start(chosen: Sequence[Visit], box: Box, slots: threading.Semaphore, begun: threading.Condition) -> None:
    """Begin one visit after the other; one that takes longer than it may gives its place to the next."""
    for visit in chosen:
        slots.acquire()
        with begun:
            visit.begun = time.monotonic()
            begun.notify_all()
        threading.Thread(target=_visit, args=(visit, box, slots), name="doctor-check", daemon=True).start()


def _visit(visit: Visit, box: Box, slots: threading.Semaphore) -> None:
    inner = threading.Thread(target=_run, args=(visit, box), name="doctor-look", daemon=True)
    inner.start()
    inner.join(visit.check.seconds)
    slots.release()


def _run(visit: Visit, box: Box) -> None:
    visit.run(box)
    visit.done.set()
