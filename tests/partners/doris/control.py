"""The tests' own door to a double in another process: one JSON document each way."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from tests.partners.doris.doors import Handler


class Control(Handler):
    """GET /rows?table=T, /answers, /ready; POST /order, /heal, /release, /wipe with the arguments as the body."""

    def do_GET(self) -> None:
        """Tell something."""
        parts = urlsplit(self.path)
        double = self.server.double
        if parts.path == "/rows":
            found = double.rows(parse_qs(parts.query)["table"][0])
        else:
            found = list(double.answers) if parts.path == "/answers" else []
        self.send(200, json.dumps(found).encode())

    def do_POST(self) -> None:
        """Do something."""
        arguments = json.loads(self.rfile.read(self.length) or b"{}")
        double = self.server.double
        actions: dict[str, Callable[..., None]] = {
            "/order": double.order,
            "/heal": double.heal,
            "/release": double.release,
            "/wipe": double.wipe,
        }
        actions[self.path](**arguments)
        self.send(200, b"null")
