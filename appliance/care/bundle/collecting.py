"""What goes into a bundle: gathered first, looked through as a whole, and only then written.

A part that fails is told of by the kind of its error, and hinders no other: a bundle is wanted most when things fail.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from appliance.archive.database import Database
from appliance.archive.settings import ArchiveSettings
from appliance.care.bundle import journal, secrets, system
from appliance.care.bundle.pseudonyms import Pseudonyms
from appliance.care.bundle.scrubber import Texts
from appliance.errors import ArchiveError, SchemaMismatch
from appliance.logs import get_logger

log = get_logger(__name__)

SECONDS: Final = 120
AT_ONCE: Final = 3
OMITTED: Final = "(left out)"
# An operator's own words: they may name the patient that somebody waits for.
FREE_TEXT: Final = frozenset({"held", "pin_reason", "detail"})
# Member and the verb that says it; each is asked for JSON.
VERBS: Final[Mapping[str, Sequence[str]]] = {
    "status": ("status",),
    "outbox": ("outbox", "stats"),
    "retention": ("retention", "status"),
    "callers": ("callers", "list"),
    "database": ("db", "status"),
    "configuration": ("config", "show"),
    "configuration-check": ("config", "check"),
    "doctor": ("doctor",),
}


OF_NO_PATIENT: Final = frozenset(
    {"versions", "machine", "certificates", "configuration", "configuration-check", "doctor", "units.txt"}
)


@dataclass(frozen=True, slots=True)
class Request:
    """What to make a bundle of. `command` runs a verb of this installation, which is appended.

    `certificates` are days left by key, `metrics` is asked for Prometheus's text.
    """

    layout: ArchiveSettings
    command: Sequence[str]
    certificates: Callable[[], Mapping[str, float | None]]
    metrics: Callable[[], bytes]
    run: journal.Run
    with_uids: bool = False


@dataclass(slots=True)
class Contents:
    """The members by name, what was left out of each, and the parts that failed."""

    members: dict[str, bytes] = field(default_factory=dict)
    omitted: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def collect(request: Request, pseudonyms: Pseudonyms) -> Contents:
    """Gather everything, compare it with the patients of the index, and leave out what may tell of one."""
    contents = Contents()
    facts = dict(_facts(request, contents))
    lines = dict(_lines(request, contents))
    texts = _compared(request, facts, lines)
    if texts is None:
        # Without the index nothing can be compared: then nothing leaves the box that objects have had a part in.
        contents.failed["journal"] = "the index cannot be read, so nobody knows what to look for"
        facts = {name: value for name, value in facts.items() if name in OF_NO_PATIENT}
        lines, texts = {name: found for name, found in lines.items() if name in OF_NO_PATIENT}, Texts()
    sieve = _Sieve(texts, None if request.with_uids else pseudonyms)
    for name, value in facts.items():
        kept = sieve.value(value)
        contents.members[f"{name}.json"] = (json.dumps(kept, indent=1, ensure_ascii=True) + "\n").encode()
        _note(contents, f"{name}.json", sieve)
    for name, found in lines.items():
        kept_lines = [line for line in map(sieve.line, found) if line is not None]
        contents.members[name] = "".join(f"{line}\n" for line in kept_lines).encode()
        _note(contents, name, sieve)
    for name, data in system.papers():
        contents.members[f"sbom/{name}"] = data
    return contents


def asked(command: Sequence[str]) -> bytes | None:
    """Run a command of this machine and return what it prints; None where it cannot be run or takes too long."""
    try:
        done = subprocess.run(
            [*command], stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout


def _facts(request: Request, contents: Contents) -> Iterator[tuple[str, Any]]:
    sources: dict[str, Callable[[], Any]] = {
        "versions": system.versions,
        "machine": lambda: system.machine(request.layout.home),
        "tables": lambda: _counts(request.layout.database),
        "certificates": lambda: dict(request.certificates()),
    }
    for name, verb in VERBS.items():
        sources[name] = partial(_said, request, verb)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked_for = {name: pool.submit(_safely, name, source, contents) for name, source in sources.items()}
    for name, answer in asked_for.items():
        if answer.result() is not None:
            yield name, answer.result()


def _said(request: Request, verb: Sequence[str]) -> Any:
    return json.loads(request.run([*request.command, *verb, "--json"]) or b"")


def _lines(request: Request, contents: Contents) -> Iterator[tuple[str, Sequence[str]]]:
    metrics = _safely("metrics.txt", request.metrics, contents)
    if metrics is not None:
        yield "metrics.txt", metrics.decode("utf-8", "backslashreplace").splitlines()
    if journal.is_there():
        yield "units.txt", journal.states(request.run)
        found = journal.excerpt(request.run)
        contents.omitted["journal.txt, of severity DEBUG"] = found.debug
        yield "journal.txt", found.lines


def _safely(name: str, source: Callable[[], Any], contents: Contents) -> Any:
    try:
        return source()
    except Exception as error:  # boundary: a bundle is wanted most when parts of the box fail
        # The kind alone: its words may quote what it choked on.
        contents.failed[name] = type(error).__name__
        log.warning("part of the bundle failed", part=name, error=type(error).__name__)
        return None


def _counts(path: Path) -> dict[str, int]:
    if not path.is_file():
        raise SchemaMismatch("there is no database yet", hint="run: appliance init")
    database = Database(path)
    try:
        with database.read() as cx:
            return system.counts(cx)
    finally:
        database.close()


def _compared(request: Request, facts: Mapping[str, Any], lines: Mapping[str, Sequence[str]]) -> Texts | None:
    """Take in every text, and walk the patients past them; None when the index cannot be read."""
    texts = Texts()
    for value in facts.values():
        for text in _texts(value):
            texts.take(text)
    for found in lines.values():
        for line in found:
            texts.take(line)
    if not request.layout.database.is_file():
        return None
    database = Database(request.layout.database)
    try:
        with database.read() as cx:
            texts.compare(cx)
    except ArchiveError:
        return None
    finally:
        database.close()
    return texts


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


class _Sieve:
    """Masks secrets, renames UIDs, leaves out what tells of a patient; counts what it left out."""

    def __init__(self, texts: Texts, pseudonyms: Pseudonyms | None) -> None:
        self._texts, self._pseudonyms = texts, pseudonyms
        self._omitted = 0

    def taken(self) -> int:
        """Return how much was left out since this was asked last."""
        count, self._omitted = self._omitted, 0
        return count

    def line(self, line: str) -> str | None:
        """Return a line as it may go out, or None."""
        if self._texts.tells(line):
            self._omitted += 1
            return None
        return self._renamed(secrets.masked_text(line))

    def value(self, value: Any) -> Any:
        """Return plain JSON values as they may go out."""
        return self._value(secrets.masked(value))

    def _value(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {self._text(str(name)): self._value(inner, str(name)) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(inner) for inner in value]
        if not isinstance(value, str):
            return value
        return OMITTED if key in FREE_TEXT and value else self._text(value)

    def _text(self, text: str) -> str:
        if self._texts.tells(text):
            self._omitted += 1
            return OMITTED
        return self._renamed(text)

    def _renamed(self, text: str) -> str:
        return text if self._pseudonyms is None else self._pseudonyms.applied(text)


def _note(contents: Contents, name: str, sieve: _Sieve) -> None:
    count = sieve.taken()
    if count:
        contents.omitted[name] = count
