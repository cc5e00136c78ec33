"""The self-test and the doctor against the real receiver: its signed receipts confirm, and no alarm is left there."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.care.verbs import run
from tests.partners.appliance import Appliance
from tests.partners.centre import Centre

TOKEN = "clinic-7-and-a-long-secret-of-its-own"


def lines(box: Appliance, *words: str) -> Any:
    """Run a verb; return what it says as JSON."""
    done = run(box, *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.full
def test_receipts_of_the_centre_confirm_the_canary(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    with Centre(tmp_path / "c") as centre:
        centre.admit("site-1", "default", token_sha256=(hashlib.sha256(TOKEN.encode()).hexdigest(),))
        centre.start()
        centre.wait_ready()
        sink = {
            "kind": "stow", "url": centre.dicomweb, "token_file": str(token),
            "verify": "receipts", "receipt_key_file": str(centre.receipt_key), "receipts_seconds": 0.2,
        }  # fmt: skip
        environ = {"APPLIANCE__CODEC__WORKERS": "1", "APPLIANCE__SYNC__SINKS": json.dumps({"centre": sink})}
        with Appliance(tmp_path / "home", environ) as box:
            box.start()
            box.wait_ready()
            (found,) = lines(box, "doctor", "--only", "sink centre")
            assert found["state"] == "ok", found
            said = lines(box, "selftest")
            steps = {step["name"]: step for step in said["steps"]}
            assert steps["confirmed centre"]["outcome"] == "ok", steps
            assert "3 receipts, signed by the centre" in steps["confirmed centre"]["what"]
            assert "objects stay at centre" in steps["removed"]["what"]
            # A request to store nothing is not a caller to be looked after.
            assert centre.callers() == []
