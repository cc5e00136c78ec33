"""The self-test of a real box: the whole way, and what it leaves behind when something is in the way."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from appliance.access.book import Book
from appliance.archive.room import Archive
from appliance.archive.settings import ArchiveSettings
from appliance.care.selftest.canary import new_uid
from appliance.care.selftest.notes import Notes
from tests.builders.certificates import Authority
from tests.integration.care.verbs import run
from tests.partners.appliance import Appliance
from tests.partners.dicom_store import DicomStore
from tests.partners.ports import free_ports
from tests.waiting import wait_until

LOGIN = {"APPLIANCE__WEB__LOGIN": "required", "APPLIANCE__CODEC__WORKERS": "1"}


def steps(box: Appliance, *options: str, code: int = 0) -> dict[str, dict[str, Any]]:
    """Run a self-test; return its steps by name."""
    done = run(box, "selftest", "--json", *options)
    assert done.exit_code == code, done.output
    found = json.loads(done.stdout)
    assert found["ok"] is (code == 0)
    return {step["name"]: step for step in found["steps"]}


def outcomes(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: step["outcome"] for name, step in found.items()}


@contextmanager
def archive(home: Path) -> Iterator[Archive]:
    opened = Archive.open(ArchiveSettings(home), "test")
    try:
        yield opened
    finally:
        opened.close()


def nothing_is_left(home: Path) -> bool:
    """No study, no note, no token that opens anything."""
    with archive(home) as opened, Book(home) as book:
        tokens = [row for row in book.tokens.list() if row["revoked_at"] is None]
        return not (opened.numbers.counts().studies or Notes(home).left() or tokens)


def test_the_canary_goes_the_whole_way_and_is_removed(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair, tls_port = authority.issue("box"), free_ports(1)[0]
    with DicomStore(tmp_path / "store") as store:
        sinks = {
            "outbound": {"kind": "directory"},
            "proving": {"kind": "stow", "url": store.url, "verify": "readback"},
            "trusting": {"kind": "stow", "url": store.url},
            "magnets": {"kind": "directory", "filter": {"modalities": ["MR"]}},
        }
        environ = {
            **LOGIN,
            "APPLIANCE__SYNC__SINKS": json.dumps(sinks),
            "APPLIANCE__SCP__TLS_PORT": str(tls_port),
            "APPLIANCE__SCP__TLS_CERTIFICATE": str(pair.certificate),
            "APPLIANCE__SCP__TLS_KEY": str(pair.key),
        }
        with Appliance(tmp_path / "home", environ) as box:
            box.start()
            box.wait_ready()
            found = steps(box)
            assert outcomes(found) == {
                f"door plain:{box.scp_port}": "ok", f"door tls:{tls_port}": "ok", "archive": "ok", "search": "ok",
                "picture": "ok", "delivered outbound": "ok", "confirmed outbound": "unproven",
                "delivered proving": "ok", "confirmed proving": "ok", "delivered trusting": "ok",
                "confirmed trusting": "unproven", "delivered magnets": "skipped", "removed": "ok",
            }  # fmt: skip
            assert len(store.objects) == 3
            assert "proving" in found["removed"]["what"]
            assert nothing_is_left(box.home)
            # A box that lets in nobody from this machine says what it needs, and leaves nothing behind.
            strict = Appliance(box.home, {**environ, "APPLIANCE__SCP__ACCEPT_UNKNOWN": "false"})
            refused = steps(strict, code=1)
            assert "--calling-ae" in next(iter(refused.values()))["mend"]
            assert nothing_is_left(box.home)


@pytest.mark.full
def test_a_sink_that_is_away_is_told_of_and_the_canary_still_goes(tmp_path: Path) -> None:
    sinks = {"centre": {"kind": "stow", "url": f"http://127.0.0.1:{free_ports(1)[0]}/dicom-web"}}
    environ = {**LOGIN, "APPLIANCE__SYNC__SINKS": json.dumps(sinks), "APPLIANCE__SYNC__BREAKER_THRESHOLD": "1"}
    with Appliance(tmp_path / "home", environ) as box:
        box.start()
        box.wait_ready()
        found = steps(box, "--timeout", "1", code=69)
        assert outcomes(found)["delivered centre"] == "unreached"
        assert "refuses connections" in found["delivered centre"]["what"]
        assert found["removed"]["outcome"] == "ok"
        assert nothing_is_left(box.home)
        _an_interrupted_run_cleans_up(box)
        _a_killed_run_is_cleaned_up_after(box)


def _selftest(box: Appliance) -> subprocess.Popen[bytes]:
    """Start one that waits for the sink that is away."""
    command = [sys.executable, "-m", "appliance", "selftest", "--timeout", "60"]
    process = subprocess.Popen(command, env=box.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with archive(box.home) as opened:
        try:
            wait_until(lambda: opened.numbers.counts().instances == 3, 30)
            # It has been sent; the pictures are drawn, and the sink is waited for.
            wait_until(lambda: process.poll() is None and Notes(box.home).left(), 30)
        except BaseException:
            process.kill()
            process.wait(10)
            raise
    return process


def _an_interrupted_run_cleans_up(box: Appliance) -> None:
    process = _selftest(box)
    assert run(box, "selftest").exit_code == 75  # one at a time
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert nothing_is_left(box.home)


def _a_killed_run_is_cleaned_up_after(box: Appliance) -> None:
    process = _selftest(box)
    process.kill()
    process.wait(10)
    left = Notes(box.home).left()
    assert len(left) == 1
    found = steps(box, "--timeout", "1", code=69)
    assert left[0] in found["leftover"]["what"]
    assert nothing_is_left(box.home)


def test_rooms_that_do_not_run_are_told_of(tmp_path: Path) -> None:
    box = Appliance(tmp_path / "home")
    run(box, "init")
    Notes(box.home).begin(new_uid())
    found = steps(box, code=69)
    assert found["leftover"]["outcome"] == "ok"
    assert outcomes(found)[f"door plain:{box.scp_port}"] == "unreached"
    assert nothing_is_left(box.home)


@pytest.mark.parametrize("options", [("--sink", "nowhere")])
def test_a_sink_that_is_not_there_is_a_mistake(tmp_path: Path, options: tuple[str, ...]) -> None:
    box = Appliance(tmp_path / "home")
    run(box, "init")
    done = run(box, "selftest", *options)
    assert done.exit_code == 78
    assert "there are: outbound" in done.stderr
