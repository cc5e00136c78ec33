"""What the sync room tells its sinks: every option of theirs comes from the configuration."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from appliance.config import Settings
from appliance.config.sinks import ENTRIES
from appliance.lifecycle import Stop
from appliance.liveness import Liveness
from appliance.sync import main
from appliance.sync.sinks.kafka_options import KafkaOptions
from appliance.sync.sinks.registry import KINDS, DirectoryOptions
from appliance.sync.sinks.stow_options import StowOptions
from tests.clocks import FakeClock

OUR_OWN = {"kafka": {"source"}, "directory": {"root", "create", "beside", "floor_bytes"}}


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_has_a_key_with_the_same_name_and_default(kind: str) -> None:
    for field in dataclasses.fields(KINDS[kind][0]):
        if field.name in OUR_OWN.get(kind, set()):
            continue
        key = ENTRIES[kind].model_fields[field.name]
        if not key.is_required():
            default = field.default_factory() if callable(field.default_factory) else field.default
            assert key.get_default(call_default_factory=True) == default, field.name


def test_a_kafka_sink_is_told_who_we_are_and_where_its_secrets_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/sync")
    sink = {
        "kind": "kafka", "bootstrap_servers": ["k:9092"], "security": "SASL_SSL", "username": "box",
        "password_file": "password", "tls_ca": "/etc/ca.pem", "topics": {"state": "s"},
    }  # fmt: skip
    told = main.options_of(Settings(site={"id": "clinic-7"}, sync={"sinks": {"centre": sink}}), "centre")  # type: ignore[arg-type]
    assert isinstance(told, KafkaOptions)
    assert (told.source, told.bootstrap_servers, told.topics) == ("clinic-7", ("k:9092",), {"state": "s"})
    assert (told.password_file, told.tls_ca) == (Path("/run/credentials/sync/password"), Path("/etc/ca.pem"))


def test_a_stow_sink_is_told_all_it_may_need() -> None:
    sink = {"kind": "stow", "url": "https://x/dicom-web", "headers": {"x-tenant": "a"}, "batch_count": 3}
    told = main.options_of(Settings(sync={"sinks": {"pixels": sink}}), "pixels")  # type: ignore[arg-type]
    assert isinstance(told, StowOptions)
    assert (told.url, told.headers, told.batch_count) == ("https://x/dicom-web", {"x-tenant": "a"}, 3)


def test_a_directory_without_a_path_is_the_appliances_own(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, sync={"sinks": {"a": {}, "b": {"path": "/mnt/b"}}})  # type: ignore[arg-type]
    floor = settings.archive.reserve_bytes // 2
    assert main.options_of(settings, "a") == DirectoryOptions(tmp_path / "a", True, tmp_path, floor)
    assert main.options_of(settings, "b") == DirectoryOptions(Path("/mnt/b"), False, tmp_path, floor)


def test_a_sink_may_have_limits_of_its_own() -> None:
    rate = {"days": "sat,sun", "hours": "22-06", "bytes_per_second": 5}
    sync = {"batch_rows": 50, "sinks": {"a": {"rates": [rate], "batch_bytes": 9}}}
    settings = Settings(sync=sync, archive={"timezone": "Asia/Shanghai"})  # type: ignore[arg-type]
    pace = main._pace(settings, settings.sync.sinks["a"])
    assert (pace.batch_rows, pace.batch_bytes, pace.lease_seconds) == (50, 9, 60)
    timetable = main._timetable(settings, settings.sync.sinks["a"])
    (window,) = timetable.windows
    assert (window.days, window.start, window.end, window.bytes_per_second) == (frozenset({5, 6}), 22, 6, 5)
    assert str(timetable.zone) == "Asia/Shanghai"


def test_every_thread_has_a_time_in_which_it_must_be_heard_of() -> None:
    sinks = {
        "here": {},
        "kafka": {"kind": "kafka", "bootstrap_servers": ["k:9092"], "lease_seconds": 900},
        "centre": {"kind": "stow", "url": "https://x/dicom-web"},
    }
    settings = Settings(sync={"sinks": sinks}, archive={"max_object_bytes": 10**9})  # type: ignore[arg-type]
    clock, stop = FakeClock(), Stop()
    liveness = Liveness(clock.monotonic)
    wishes = main._wishes(settings, stop, liveness)
    assert set(wishes) == {"sink here", "sink kafka", "sink centre", "retention"}
    late = []
    for seconds in (301, 501 - 301, 2699 - 501, 2):  # a piece; the largest object on a slow disk too; three leases
        clock.advance(seconds)
        late.append(liveness.stuck())
    stop.close()
    assert late[0] == ("retention", "sink centre")
    assert late[1] == ("retention", "sink centre", "sink here")
    assert late[2] == late[1]
    assert late[3] == ("retention", "sink centre", "sink here", "sink kafka")
