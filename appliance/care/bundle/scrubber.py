"""The second fence: nothing goes into a bundle that stands in a patient's columns of the database.

The first is that the rooms log no patient data. This one compares all the same: every line and every text is cut into
words, in whatever way it may be written (percent signs, escapes, base64), and words and runs of words are looked up
among the values of the index. What has characters outside ASCII is left out unseen: the rooms' own words have none.
Memory grows with the bundle, not with the number of patients, because the index is walked once past the words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from appliance.archive.database import Connection
from appliance.care.bundle.pseudonyms import uids
from appliance.care.bundle.readings import decoded, readings, undo

# Characters of a word below which too much would be taken for it; one of Chinese says more.
LEAST: Final = 4
LEAST_OTHER: Final = 2
LONGEST_OTHER: Final = 6
LONGEST_RUN: Final = 8
PARTS: Final = re.compile(r"[\^=,;\\\s]+")
WORD: Final = re.compile(r"[^\W\d_]+|\d+")
NOT_A_WORD: Final = re.compile(r"[\W_]+")
# The moment of a log line is nobody's date of birth; no log is older than the program.
MOMENT: Final = re.compile(r"\b20[2-9]\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\b")
# As people write dates; the index has YYYYMMDD.
DATE: Final = re.compile(r"\d{8}")
DATES: Final = ("%d%m%Y", "%m%d%Y", "%-d%-m%Y", "%-m%-d%Y", "%Y%-m%-d", "%d%b%Y", "%-d%b%Y", "%d%B%Y", "%-d%B%Y",
                "%b%d%Y", "%b%-d%Y", "%B%d%Y", "%B%-d%Y")  # fmt: skip
# Where files have names of eight characters.
SHORT_NAME: Final = 8
SPELT: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "æ": "ae", "œ": "oe"})

# Columns that hold a patient's or a person's own values; see model/attributes.py for what they are.
SOURCES: Final = (
    "SELECT patient_name, patient_id, accession_number, study_id, patient_birth_date, referring_physician_name,"
    " cloud_patient_id FROM study",
    "SELECT scheduled_procedure_step_id, requested_procedure_id FROM series",
)
# What people have written freely: its words are everybody's, as a whole it is one patient's.
FREE_TEXTS: Final = ("SELECT study_description FROM study", "SELECT series_description FROM series")
LEAST_FREE: Final = 8
# What is no patient's although it stands in such a column.
STAND_INS: Final = frozenset({"unknown", "anonymous", "none", "null", "default"})


class Texts:
    """Everything that may go into a bundle, word by word; then what of it is a patient's."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._words: set[str] = set()
        self._hits: set[str] = set()

    def take(self, text: str) -> None:
        """Remember the words of a text."""
        self._words.update(words_of(text))

    def compare(self, cx: Connection) -> None:
        """Walk the patients' columns of an index past the words. Raises ArchiveError."""
        for statement in SOURCES:
            for row in cx.execute(statement):
                for value in row:
                    self.note(value)
        for statement in FREE_TEXTS:
            for (value,) in cx.execute(statement):
                form = _plain_form(value or "")
                if len(form) >= LEAST_FREE and form in self._words:
                    self._hits.add(form)

    def note(self, value: Any) -> None:
        """Count a value of a patient, where any text has it."""
        if value is not None:
            self._hits.update(form for form in forms_of(str(value)) if form in self._words)

    def tells(self, text: str) -> bool:
        """Say whether a text may tell of a patient."""
        return not is_plain(text) or not self._hits.isdisjoint(words_of(text))


def forms_of(value: str) -> Iterator[str]:
    """Yield a value as it may stand in a text, letters and digits alone: whole, its parts, two parts together.

    What is too short is not yielded.
    """
    parts = [form for form in map(_plain_form, PARTS.split(value)) if form]
    candidates = {_plain_form(value), *parts, "".join(reversed(parts))}
    candidates |= {first + second for first in parts for second in parts if first != second}
    candidates |= {part[:SHORT_NAME] for part in parts}
    candidates |= {spelt for form in candidates for spelt in _spellings(form)}
    candidates |= set(_dates(value))
    yield from (form for form in candidates if _is_long(form) and form not in STAND_INS)


def words_of(text: str) -> set[str]:
    """Return words and runs of up to LONGEST_RUN words of a text, in every way it can be read."""
    found: set[str] = set()
    for reading in readings(MOMENT.sub(" ", text)):
        words = WORD.findall(reading.casefold())
        # Chinese and Japanese have no blanks between words.
        found.update(part for word in words if not word.isascii() for part in _parts(word))
        for start in range(len(words)):
            run = ""
            for word in words[start : start + LONGEST_RUN]:
                run += word
                if _is_long(run):
                    found.add(run)
    return found


def is_plain(text: str) -> bool:
    """Say whether a text is of printable ASCII in every reading that has none by chance, and hides no UID."""
    if not text.isascii() or not undo(text).isascii():
        return False
    return not any(uids(reading) for reading in decoded(text))


def _plain_form(value: str) -> str:
    return NOT_A_WORD.sub("", value.casefold())


def _spellings(form: str) -> Iterator[str]:
    """Yield a form in the letters of ASCII, as keyboards without others have it."""
    if not form.isascii():
        for text in (form, form.translate(SPELT)):
            yield "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))


def _dates(value: str) -> Iterator[str]:
    if not DATE.fullmatch(value):
        return
    try:
        day = datetime.strptime(value, "%Y%m%d")
    except ValueError:
        return
    yield from (day.strftime(form).casefold() for form in DATES)


def _parts(word: str) -> Iterator[str]:
    for length in range(LEAST_OTHER, LONGEST_OTHER + 1):
        yield from (word[at : at + length] for at in range(len(word) - length + 1))


def _is_long(word: str) -> bool:
    return len(word) >= (LEAST if word.isascii() else LEAST_OTHER)
