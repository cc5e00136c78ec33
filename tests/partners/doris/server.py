"""The double as a process of its own: it can be killed at any moment and started again on its ports and data."""

from __future__ import annotations

import http.client
import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.partners.doris.storage import Row
from tests.partners.lasting_ports import lasting_ports
from tests.partners.program import Program, Server

ROOT = Path(__file__).resolve().parents[3]


class DorisServer(Server):
    """One frontend and one backend on 127.0.0.1; user and password are those of `double.USERS`.

    `ddl` is a script of CREATE TABLE statements. Trouble that was ordered, and loads that run, end with the process.
    """

    def __init__(self, folder: Path, ddl: str) -> None:
        """Choose ports; nothing is started yet."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tables.sql").write_text(ddl, encoding="utf-8")
        self.fe_port, self.be_port, self._control = ports = lasting_ports(3)
        command = [sys.executable, "-m", "tests.partners.doris", str(folder), str(folder / "tables.sql")]
        environ = {"PYTHONPATH": str(ROOT)}
        self.program = Program([*command, *map(str, ports)], folder / "doris.log", environ)

    @property
    def url(self) -> str:
        """The frontend's root."""
        return f"http://127.0.0.1:{self.fe_port}"

    def answers(self) -> bool:
        """Whether it serves now."""
        try:
            self._ask("GET", "/ready")
        except OSError:
            return False
        return True

    def rows(self, table: str) -> list[Row]:
        """What a query of a table would give now, in no promised order."""
        found: list[Row] = self._ask("GET", f"/rows?table={table}")
        return found

    def told(self) -> list[dict[str, Any]]:
        """What the backend has answered since it was started."""
        found: list[dict[str, Any]] = self._ask("GET", "/answers")
        return found

    def order(self, kind: str, times: int = 1, **options: Any) -> None:
        """Trouble for the next requests; the kinds are in troubles.py."""
        self._ask("POST", "/order", {"kind": kind, "times": times, **options})

    def heal(self) -> None:
        """No more trouble; what runs or waits to be visible ends."""
        self._ask("POST", "/heal", {})

    def release(self) -> None:
        """End what runs, show what is committed."""
        self._ask("POST", "/release", {})

    def wipe(self) -> None:
        """Empty every table, forget labels and trouble."""
        self._ask("POST", "/wipe", {})

    def _ask(self, method: str, path: str, document: object = None) -> Any:
        with closing(http.client.HTTPConnection("127.0.0.1", self._control, timeout=10)) as connection:
            body = None if document is None else json.dumps(document)
            connection.request(method, path, body, {"Connection": "close"})
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == 200, f"{path}: {answer.status}"
            return json.loads(text)
