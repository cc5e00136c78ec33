"""What a Stream Load's answer means, and whose fault a failure is.

Doris answers 200 whatever happened, and its messages may quote rows: nothing of them is passed on but codes
and the names of our own columns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from enum import Enum, auto
from typing import Any, Final

from appliance.central.targets import Misdirected, Unavailable

BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class Verdict(Enum):
    """What became of a load.

    DONE: committed, visible now or soon, never to be sent under another label. AGAIN: not known, or still running: ask
    again under the same label. ROWS: rolled back, or rows were left out, because of what stands in the rows.
    """

    DONE = auto()
    AGAIN = auto()
    ROWS = auto()


_QUALITY: Final = re.compile(
    r"data_quality_error|too many filtered rows|unqualified data|all partitions have no load data|"
    r"no partition for this tuple|parse json data|json data is not",
    re.IGNORECASE,
)

# Message of Doris, what an operator is told, what to do.
_TABLES: Final = "`appliance central init` prints the SQL"
_LOGIN: Final = "check user, password and LOAD privilege"
_ROOT: Final = "central.doris.url must be the root of a frontend, such as http://doris.example:8030"
_SETTINGS: Final = (
    (r"access denied|unauthorized|authorization", "refuses user or password", _LOGIN),
    (r"unknown database|no database", "has no such database", _TABLES),
    (r"unknown table|table .*not (?:found|exist)", "has no such table", _TABLES),
    (r"unknown column|no default value|sequence col", "has a table of other columns",
     "compare it with the SQL that `appliance central init` prints"),
    (r"unknown data format|not support|label format", "does not know this way of loading", "use Doris 2.0 or later"),
    (r"100-continue", "was not asked to wait with the body", "a proxy in between must pass the header Expect on"),
)  # fmt: skip

# What is known to be no row's doing: a part of a table may be away while others take rows.
_ILL: Final = re.compile(
    r"(?<!\w)-23[58]\b|memory|mem_|replica|quorum|tablet|backend|\brpc\b|time(?:d )?\s?out|"
    r"too many (?:open|version)|disk",
    re.IGNORECASE,
)

# What stands in brackets elsewhere in a message may be a value.
_CODES: Final = (
    re.compile(r"\[(E-?\d{1,4})\]"),
    re.compile(r"(?<!\w)(-23[58])\b"),
    re.compile(r"\A\[([A-Z_]{1,40})\]"),
)
_TAKEN: Final = "Label Already Exists"


def verdict(answer: Mapping[str, Any], place: str) -> Verdict:
    """Sort a backend's answer. Raises Misdirected, Unavailable; `place` names the table in their messages."""
    status = answer.get("Status")
    if status == "Success":
        # Nothing may be filtered with the ratio that we ask for; where a server thinks otherwise, the rows are sought.
        return Verdict.ROWS if _count(answer, "NumberFilteredRows") else Verdict.DONE
    if status == "Publish Timeout":
        return Verdict.DONE
    if status == _TAKEN:
        return Verdict.DONE if answer.get("ExistingJobStatus") == "FINISHED" else Verdict.AGAIN
    if status == "Fail":
        return _failure(answer, place)
    return Verdict.AGAIN


def refused(message: str, place: str, *, of_rows: bool = False) -> Misdirected | Unavailable:
    """Return what a refusal means that blames no row. `of_rows`: rows were there, and may be what it is about."""
    doubtful = of_rows and not _ILL.search(message)
    for pattern, words, hint in _SETTINGS:
        if re.search(pattern, message, re.IGNORECASE):
            return Misdirected(f"Doris {words} ({place})", hint=hint, doubtful=doubtful)
    codes = [found[1] for pattern in _CODES if (found := pattern.search(message))]
    named = f", code {codes[0]}" if codes else ""
    hint = "see the logs of its backends: memory, compaction, disks"
    return Unavailable(f"Doris could not load into {place}{named}", hint=hint, doubtful=doubtful)


def check_status(status: int, answer: tuple[Mapping[str, str], bytes], place: str) -> None:
    """Raise what an HTTP status other than 200 means: Misdirected or Unavailable."""
    if status == 200:
        return
    if status in (401, 403):
        raise Misdirected(f"Doris refuses user or password ({place})", hint=_LOGIN)
    if status in BUSY:
        wish = answer[0].get("Retry-After", "")
        seconds = float(wish) if wish.isascii() and wish.isdecimal() else 0.0
        doubtful = status == 500
        message = f"Doris answers {status} for {place}"
        raise Unavailable(message, hint="see its logs", retry_after=seconds, doubtful=doubtful)
    raise Misdirected(f"Doris answers {status} for {place}", hint=_ROOT)


def frontend_refusal(body: bytes, place: str) -> Misdirected | Unavailable:
    """Return what a frontend means that answers 200 instead of a redirect."""
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict) or "Status" in document:
        return Misdirected("what answers at central.doris.url is no Doris frontend", hint=_ROOT)
    denied = "access denied" if str(document.get("code")) in ("401", "403") else ""
    return refused(f"{denied} {document.get('msg', '')} {document.get('data', '')}", place)


def _failure(answer: Mapping[str, Any], place: str) -> Verdict:
    message = str(answer.get("Message", ""))
    if _count(answer, "NumberFilteredRows") or _QUALITY.search(message):
        return Verdict.ROWS
    raise refused(message, place, of_rows=True)


def _count(answer: Mapping[str, Any], name: str) -> int:
    value = answer.get(name)
    return value if isinstance(value, int) else 0


# A line of the error log quotes the value; only what kind of trouble it is, and with which column, is safe to tell.
_TROUBLE: Final = (
    (r"too long", "is too long"),
    (r"null value for not null", "is missing"),
    (r"strict mode", "is no value of the column's type"),
    (r"no partition", "belongs to no partition"),
    (r"parse json", ""),
)
_COLUMN: Final = re.compile(r"column(?:_name)?\s*[\[(]`?(\w+)`?[\])]")
_BEHIND: Final = re.compile(r"first 32 bytes of input str|src value is|src line", re.IGNORECASE)


def reason(log: str, columns: Collection[str]) -> str:
    """Return why a row is refused, from its error log or its answer: a sentence with no value of the row in it.

    `columns` are the names that may be told. An empty or strange log gives the plain sentence.
    """
    beginning = _BEHIND.split(log, maxsplit=1)[0]
    found = _COLUMN.search(beginning)
    column = found[1] if found is not None and found[1] in columns else ""
    for pattern, words in _TROUBLE:
        if column and words and re.search(pattern, beginning, re.IGNORECASE):
            return f"Doris refuses the row: {column} {words}"
    return f"Doris refuses the row for its {column}" if column else "Doris refuses the row"
