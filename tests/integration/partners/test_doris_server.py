"""The Doris double as a process: what it has told as committed outlives kill -9."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.partners.test_doris_double import AUTH, EXPECT, JSON, SMALL, put, thing
from tests.partners.doris.server import DorisServer


def load(server: DorisServer, name: str, label: str) -> str:
    """The status of loading one row."""
    path, headers = "/api/clinic/things/_stream_load", {**JSON, **AUTH, **EXPECT, "label": label}
    return str(put(server.be_port, path, json.dumps(thing(name)).encode(), headers)[2]["Status"])


def test_rows_and_labels_are_there_after_a_kill_and_what_ran_is_not(tmp_path: Path) -> None:
    with DorisServer(tmp_path, SMALL) as server:
        assert load(server, "a", "la") == "Success"
        server.order("publish_timeout")
        assert load(server, "b", "lb") == "Publish Timeout"
        server.order("running")
        with pytest.raises(OSError):
            load(server, "c", "lc")
        assert [row["id"] for row in server.rows("things")] == ["a"] and len(server.told()) == 2
        server.kill()
        assert not server.answers()
        server.start().wait_ready()
        assert sorted(row["id"] for row in server.rows("things")) == ["a", "b"]
        assert [load(server, "x", label) for label in ("la", "lb", "lc")] == [*["Label Already Exists"] * 2, "Success"]
        server.wipe()
        assert server.rows("things") == [] and server.stop() == 0
