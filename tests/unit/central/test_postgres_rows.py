"""How the rows at fault are found, told by the statements that a stand-in for the connection is given."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import errors

from appliance.central.postgres_rows import Connection, Writer, numbered

WRITER = Writer("t", "WRITE", "CHECK", own_key="t_pkey")


class Script:
    """Takes statements; CHECK refuses the rows of `unfit`, WRITE those and the rows of `forbidden`."""

    def __init__(self, unfit: set[int], forbidden: set[int]) -> None:
        self._refuse = {"CHECK": unfit, "WRITE": unfit | forbidden}
        self.written: list[int] = []
        self.kept = 0
        self._pending: list[int] = []

    def execute(self, query: bytes | str, parameters: Sequence[str] = ()) -> Any:
        """Do as a server would."""
        text = query.decode() if isinstance(query, bytes) else query
        if text.startswith(("SAVEPOINT", "ROLLBACK TO")):
            self._pending = []
        elif text.startswith("RELEASE"):
            self.kept += bool(self._pending)
            self.written, self._pending = self.written + self._pending, []
        else:
            self._run(text, [row["n"] for row in json.loads(parameters[0])])
        return SimpleNamespace(description=None)

    def _run(self, text: str, numbers: list[int]) -> None:
        if self._refuse[text] & set(numbers):
            raise errors.CheckViolation("Müller")
        if text == "WRITE":
            self._pending = numbers


@given(st.integers(0, 60), st.sets(st.integers(0, 59)), st.sets(st.integers(0, 59)))
def test_exactly_the_bad_rows_are_found_and_nothing_is_kept_on_the_way(
    count: int, unfit: set[int], forbidden: set[int]
) -> None:
    """Each part that stays written would hold a lock until the end, and a server has few."""
    script = Script(unfit, forbidden)
    rows = [numbered(n, {"n": n}) for n in range(count)]
    _, faults = WRITER.write(cast(Connection, script), rows)
    bad = {n for n in unfit | forbidden if n < count}
    assert set(faults) == bad
    assert not any("Müller" in fault.reason for fault in faults.values())
    assert script.kept <= 1 and (script.written or script._pending) == sorted(set(range(count)) - bad)


def test_what_is_no_rows_fault_stops_it_all() -> None:
    class Gone(Script):
        def _run(self, text: str, numbers: list[int]) -> None:
            raise psycopg.OperationalError("gone")

    with pytest.raises(psycopg.OperationalError):
        WRITER.write(cast(Connection, Gone(set(), set())), [numbered(0, {"n": 0})])


@pytest.mark.parametrize(("rule", "faulty"), [("t_pkey", False), ("somebody_elses", True)])
def test_a_row_that_is_there_already_is_no_fault(rule: str, faulty: bool) -> None:
    class There(errors.UniqueViolation):
        diag = SimpleNamespace(constraint_name=rule, column_name=None)  # type: ignore[assignment]

    class Known(Script):
        def _run(self, text: str, numbers: list[int]) -> None:
            if text == "WRITE" and 1 in numbers:
                raise There("there")
            super()._run(text, numbers)

    script = Known(set(), set())
    _, faults = WRITER.write(cast(Connection, script), [numbered(n, {"n": n}) for n in range(3)])
    assert set(faults) == ({1} if faulty else set())
    assert script._pending == [0, 2]
