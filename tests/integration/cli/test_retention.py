"""`appliance retention` and `appliance study`: what may go, what went, and what must stay."""

from __future__ import annotations

import json
from pathlib import Path

from appliance.archive.room import Archive
from appliance.model.routes import Route
from tests.archives import small_settings
from tests.builders.instances import ct
from tests.partners.appliance import Appliance
from tests.unit.archive.evicting import confirm, deliver, store

LIMITS = {"APPLIANCE__RETENTION__MAX_BYTES": "1", "APPLIANCE__RETENTION__KEEP_DAYS": "0"}
SINKS = {"APPLIANCE__SYNC__SINKS": json.dumps({"centre": {"kind": "stow", "url": "http://127.0.0.1:9/dicom-web"}})}


def test_what_is_proven_goes_and_what_is_pinned_stays(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Appliance(home, LIMITS | SINKS) as box:
        box.command("init")
        archive = Archive.open(small_settings(home, sinks=(Route("centre", kinds=("object",), proves=True),)), "test")
        pinned, proven, unproven = (store(archive, ct()) for _ in range(3))
        deliver(archive)
        for one in (pinned, proven):
            confirm(archive, one.version_id)
        archive.close()
        box.command("study", "pin", pinned.study_uid, "--reason", "teaching")
        (pin,) = json.loads(box.command("study", "pins", "--json").stdout)
        assert (pin["study_uid"], pin["pin_reason"]) == (pinned.study_uid, "teaching")
        status = json.loads(box.command("retention", "status", "--json").stdout)
        assert (status["evictable_objects"], status["pinned_studies"]) == (1, 1)
        assert (status["kept"]["pinned"], status["kept"]["no proof from a required sink"]) == (1, 1)
        dry = json.loads(box.command("retention", "run", "--dry-run", "--json").stdout)
        assert (dry["objects"], dry["studies"]) == (1, [proven.study_uid])
        text = box.command("retention", "run").stdout
        assert text.startswith("1 object evicted")
        assert "more should go and may not" in text
        assert box.status()["evicted"] == 1
        shown = box.command("retention", "status").stdout
        assert "max bytes" in shown
        assert "no proof from a required sink" in shown
        box.command("study", "unpin", pinned.study_uid)
        assert json.loads(box.command("retention", "run", "--json").stdout)["studies"] == [pinned.study_uid]
        assert box.command("study", "pin", "1.2.3", "--reason", "x", check=False).returncode == 66
        assert unproven.study_uid not in text


def test_without_a_limit_it_says_so(tmp_path: Path) -> None:
    with Appliance(tmp_path / "home") as box:
        box.command("init")
        assert "No limit is set" in box.command("retention", "run").stdout
        refused = box.command(
            "--config", str(_bad(tmp_path)), "config", "check", check=False,
        )  # fmt: skip
        assert refused.returncode == 78
        assert "recall_from" in refused.stdout + refused.stderr


def _bad(folder: Path) -> Path:
    path = folder / "bad.toml"
    path.write_text('[retention]\nrecall_from = "outbound"\n')
    return path
