"""The verbs on a real archive: what they show, what they change, how they end."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from appliance.archive import fsck
from appliance.archive.outbox import Outcome, Verdict
from tests.builders.certificates import Authority
from tests.builders.instances import ct, part10, series
from tests.integration.cli.conftest import Home


def keep(home: Home, tmp_path: Path, *images: object) -> None:
    for number, image in enumerate(images):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(part10(image))  # type: ignore[arg-type]
        home.run("import", path)


def bury_alive(home: Home, reason: str = "the record is too large") -> list[int]:
    """Let the sink refuse everything that is pending; return the events."""
    with home.installation.archive() as archive:
        lease = archive.outbox.claim("outbound", rows=100, bytes_=1 << 30, lease_seconds=60)
        assert lease is not None
        events = [delivery.event_id for delivery in lease.deliveries]
        archive.outbox.settle(lease, [Outcome(event, Verdict.DEAD, reason) for event in events])
    return events


def states(home: Home) -> set[str]:
    return {row["state"] for row in home.json("outbox", "list")}


def test_init_may_be_repeated(home: Home) -> None:
    assert str(home.path) in home.run("init").stdout


def test_nothing_works_before_init_and_the_message_says_so(tmp_path: Path) -> None:
    result = Home(tmp_path / "nowhere").run("status", code=78)
    assert f"there is no database in {tmp_path / 'nowhere'} yet" in result.stderr
    assert f"appliance --home {tmp_path / 'nowhere'} init" in result.stderr
    assert "name another home by --home" in result.stderr
    for verb in ("db status", "scp"):
        assert str(tmp_path / "nowhere") in Home(tmp_path / "nowhere").run(*verb.split(), code=78).stderr
    assert not (tmp_path / "nowhere").exists()


def test_status_without_rooms_is_not_ready_but_complete(home: Home, tmp_path: Path) -> None:
    keep(home, tmp_path, ct(), ct())
    status = home.json("status", code=1)
    assert status["ready"] is False
    assert (status["studies"], status["series"], status["instances"]) == (2, 2, 2)
    assert status["sinks"]["outbound"]["pending"] == len(home.json("outbox", "list"))
    assert "ready no" in " ".join(home.run("status", code=1).stdout.split())


def test_a_dead_letter_is_listed_shown_exported_and_sent_again(home: Home, tmp_path: Path) -> None:
    keep(home, tmp_path, ct(PatientName="Dead^Letter"))
    events = bury_alive(home)
    listed = home.json("dead", "list")
    assert [row["event_id"] for row in listed] == events
    assert listed[0]["reason"] == "the record is too large"
    assert home.json("dead", "show", str(events[0]))["deliveries"][0]["state"] == "dead"

    target = tmp_path / "dead.jsonl"
    home.run("dead", "export", target)
    lines = [json.loads(line) for line in target.read_text().splitlines()]
    assert [line["id"] for line in lines] == events
    assert target.stat().st_mode & 0o777 == 0o600
    assert "exists already" in home.run("dead", "export", target, code=2).stderr

    home.run("dead", "replay", str(events[0]))
    assert [row["event_id"] for row in home.json("dead", "list")] == events[1:]
    home.run("dead", "replay", "--all")
    assert home.json("dead", "list") == []
    assert states(home) == {"pending"}
    assert "no dead letter" in home.run("dead", "show", str(events[0]), code=66).stderr


def test_the_verbs_say_what_they_do_not_send_again_and_why(home: Home, tmp_path: Path) -> None:
    first, second = series(2)
    keep(home, tmp_path, first)
    old, *_ = bury_alive(home)
    keep(home, tmp_path, second)
    for verb in ("outbox retry", "outbox replay", "dead replay"):
        told = home.run(*verb.split(), str(old)).stdout
        assert told.startswith("0 d")
        assert told.endswith("1 delivery is left out: the sink has a newer state of the same series.\n")
    assert "left out" not in home.run("outbox", "retry", str(old + 1)).stdout


def test_deliveries_are_buried_for_a_reason_and_replayed(home: Home, tmp_path: Path) -> None:
    image = ct()
    keep(home, tmp_path, image)
    events = bury_alive(home)
    home.run("outbox", "bury", *map(str, events), "--reason", "test data")
    assert {row["reason"] for row in home.json("outbox", "list", "--state", "buried")} == {"test data"}
    assert home.json("status", code=1)["sinks"]["outbound"]["buried"] == len(events)
    assert home.json("outbox", "stats")["outbound"]["buried"] == len(events)
    home.run("outbox", "replay", "--study", image.StudyInstanceUID)
    assert states(home) == {"pending"}
    home.run("outbox", "retry", "--all", "--sink", "outbound")


def test_verbs_that_change_much_want_it_said(home: Home) -> None:
    for verb in ("outbox retry", "outbox replay", "dead replay"):
        home.run(*verb.split(), code=2)
    home.run("outbox", "retry", "1", "--all", code=2)
    home.run("outbox", "bury", "1", code=2)


def test_a_conflict_is_settled_by_a_person(home: Home, tmp_path: Path) -> None:
    image = ct(StudyDescription="first")
    keep(home, tmp_path, image)
    image.StudyDescription = "further"
    keep(home, tmp_path, image)
    (found,) = home.json("conflict", "list")
    assert found["sop_uid"] == image.SOPInstanceUID
    shown = home.json("conflict", "show", str(found["id"]))
    assert (shown["first_standing"], shown["settled"], shown["current"]) == ("current", False, "first")

    home.run("conflict", "accept", str(found["id"]), "--version", "further")
    settled = home.json("conflict", "show", str(found["id"]))
    assert (settled["first_standing"], settled["further_standing"]) == ("superseded", "current")
    assert settled["settled_by"]
    assert home.json("conflict", "list") == []
    assert len(home.json("conflict", "list", "--all")) == 1
    assert (settled["settled"], settled["current"]) == (True, "further")
    assert "settled already" in home.run("conflict", "accept", str(found["id"]), "--version", "first", code=66).stderr


@pytest.mark.parametrize(
    ("verb", "missing"),
    [
        ("outbox retry 99", "event 99"),
        ("outbox bury 99 --reason x", "event 99"),
        ("outbox replay 99", "event 99"),
        ("dead replay 99", "event 99"),
        ("outbox replay --study 1.2.3", "study 1.2.3"),
        ("outbox list --sink nope", "sink nope"),
        ("outbox retry --all --sink nope", "sink nope"),
        ("dead list --sink nope", "sink nope"),
        ("conflict accept 99 --version first", "conflict 99"),
    ],
)
def test_what_is_not_there_is_named(home: Home, verb: str, missing: str) -> None:
    assert f"there is no {missing}" in home.run(*verb.split(), code=66).stderr


def test_nothing_is_changed_when_one_of_several_is_not_there(home: Home, tmp_path: Path) -> None:
    keep(home, tmp_path, ct())
    first, *rest = bury_alive(home)
    assert "no event 99" in home.run("dead", "replay", str(first), "99", code=66).stderr
    home.run("outbox", "bury", str(first), "99", "--reason", "x", code=66)
    assert len(home.json("dead", "list")) == 1 + len(rest)
    assert "1 dead letter is due" in home.run("dead", "replay", str(first)).stdout
    assert "no dead letter" in home.run("dead", "replay", str(first), code=66).stderr


def test_why_a_sink_is_behind_stands_in_the_status(home: Home) -> None:
    with home.installation.archive() as archive:
        archive.outbox.breaker("outbound", "open", "the directory is not there")
    assert home.json("status", code=1)["sinks"]["outbound"]["reason"] == "the directory is not there"
    shown = home.run("status", code=1).stdout
    assert "outbound is open: the directory is not there" in shown


def test_what_is_not_held_is_counted(home: Home, tmp_path: Path) -> None:
    keep(home, tmp_path, ct(), ct())
    assert home.json("status", code=1)["not_held"] == 0
    next((home.path / "archive").rglob("*.dcm")).unlink()
    home.run("fsck", "--repair", code=1)
    assert home.json("status", code=1)["not_held"] == 1
    assert "not held 1" in " ".join(home.run("status", code=1).stdout.split())


def test_a_lost_index_is_made_again_from_the_files(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(home, tmp_path, ct(), ct())
    for file in home.path.glob("index.db*"):
        file.unlink()
    home.run("init")
    monkeypatch.setattr(fsck, "SETTLE_SECONDS", 0)  # in place of waiting until no arrival can be under way
    home.run("fsck", "--repair")
    assert home.json("status", code=1)["instances"] == 2
    assert home.json("fsck")["clean"] is True


def test_a_home_that_cannot_be_made_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    below_a_file = tmp_path / "file" / "home"
    result = Home(below_a_file).run("init", code=78)
    assert f"{below_a_file} cannot be used: Not a directory" in result.stderr
    assert "name another home by --home" in result.stderr

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)  # root, who runs the suite, may write everywhere
    result = Home(tmp_path / "home").run("init", code=78)
    assert "cannot be used: Permission denied" in result.stderr
    assert "as a user who may write there" in result.stderr


def test_the_quarantine_is_listed_and_exported(home: Home, tmp_path: Path) -> None:
    (tmp_path / "bad.dcm").write_bytes(part10(ct(StudyInstanceUID=None)))
    home.run("import", tmp_path / "bad.dcm", code=1)
    (entry,) = home.json("quarantine", "list")
    assert "StudyInstanceUID" in home.json("quarantine", "show", str(entry["id"]))["reason"]
    home.run("quarantine", "export", str(entry["id"]), tmp_path / "out.dcm")
    assert (tmp_path / "out.dcm").read_bytes()[128:132] == b"DICM"
    home.run("quarantine", "export", str(entry["id"]), tmp_path / "out.dcm", code=2)
    absent = home.run("quarantine", "export", str(entry["id"]), tmp_path / "absent" / "out.dcm", code=2)
    assert f"there is no directory {tmp_path / 'absent'}" in absent.stderr
    home.run("quarantine", "show", "99", code=66)


def test_refused_callers_are_listed(home: Home) -> None:
    with home.installation.archive() as archive:
        archive.callers.reject("STRANGER\x1b", "10.0.0.9", "unknown calling AE title")
    assert home.json("callers", "list")[0]["count"] == 1
    assert "STRANGER\\x1b" in home.run("callers", "list").stdout


def test_fsck_finds_a_changed_file(home: Home, tmp_path: Path) -> None:
    keep(home, tmp_path, ct())
    assert home.json("fsck")["clean"] is True
    (file,) = (home.path / "archive").rglob("*.dcm")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    found = home.json("fsck", code=1)["findings"]
    assert [finding["kind"] for finding in found] == ["digest"]
    assert home.json("fsck", "--quick")["clean"] is True


def test_the_database_tells_its_version(home: Home) -> None:
    status = home.json("db", "status")
    assert status["schema_version"] == status["needed_version"]
    assert "schema" in home.run("db", "migrate").stdout


def test_migrating_nothing_creates_nothing(tmp_path: Path) -> None:
    Home(tmp_path / "nowhere").run("db", "migrate", code=78)
    assert not (tmp_path / "nowhere").exists()


def test_config_shows_values_with_their_origin(home: Home) -> None:
    shown = home.json("config", "show")
    assert shown["home"] == {"value": str(home.path), "origin": "option --home"}
    assert shown["archive.reserve_bytes"]["value"] == 1000000
    assert "APPLIANCE__ARCHIVE__RESERVE_BYTES" in shown["archive.reserve_bytes"]["origin"]
    assert shown["scp.port"] == {"value": 11112, "origin": "default"}
    assert "sound" in home.run("config", "check").stdout


def test_a_wrong_configuration_is_told_without_a_traceback(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "appliance.toml"
    file.write_text("[scp]\nprot = 1\n")
    result = home.run("--config", file, "config", "check", code=78)
    assert "scp.prot" in result.stderr
    assert "next:" in result.stderr


def test_a_checked_configuration_is_told_to_programs(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home.json("config", "check") == {"sound": True, "mistakes": [], "warnings": []}
    monkeypatch.setenv("APPLIANCE_SCP_PORT", "104")
    checked = home.run("config", "check")
    assert "did you mean APPLIANCE__SCP__PORT?" in checked.stderr
    assert "sound" in checked.stdout
    monkeypatch.setenv("APPLIANCE__SCP__PORT", "x")
    monkeypatch.setenv("APPLIANCE__WEB__PORT", "y")
    found = home.json("config", "check", code=78)
    assert (found["sound"], len(found["mistakes"]), len(found["warnings"])) == (False, 2, 1)


def test_files_that_the_configuration_names_must_be_readable(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = Authority(tmp_path).issue("box")
    monkeypatch.setenv("APPLIANCE__SCP__TLS_PORT", "2762")
    monkeypatch.setenv("APPLIANCE__SCP__TLS_CERTIFICATE", str(pair.certificate))
    monkeypatch.setenv("APPLIANCE__SCP__TLS_KEY", str(tmp_path / "absent.pem"))
    result = home.run("config", "check", code=78)
    assert "scp.tls_key" in result.stderr
    assert "APPLIANCE__SCP__TLS_KEY" in result.stderr
    assert "No such file" in result.stderr
    monkeypatch.setenv("APPLIANCE__SCP__TLS_KEY", str(pair.certificate))
    assert "not a certificate and its key" in home.json("config", "check", code=78)["mistakes"][0]
    monkeypatch.setenv("APPLIANCE__SCP__TLS_KEY", str(pair.key))
    monkeypatch.setenv("APPLIANCE__SCP__TLS_CA", str(pair.certificate))
    monkeypatch.setenv("APPLIANCE__SCP__TLS_CRL", str(pair.certificate))
    assert "no revocation list" in home.json("config", "check", code=78)["mistakes"][0]
    monkeypatch.delenv("APPLIANCE__SCP__TLS_CRL")
    home.run("config", "check")
