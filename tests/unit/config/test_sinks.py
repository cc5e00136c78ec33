"""What a sink's table becomes: a route for the archive, days and hours, the place of a secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance.config import DirectoryEntry, KafkaEntry, StowEntry, credential, load
from appliance.config.hours import span, weekdays
from appliance.errors import ConfigurationError
from appliance.model.routes import NEWEST, PriorityRule, Route, Selection
from tests.unit.config.test_loading import written

TABLE = """
[sync.sinks.metadata]
kind = "kafka"
bootstrap_servers = ["a.example:9093", "[::1]:9093"]

[sync.sinks.pixels]
kind = "stow"
url = "https://pacs.example/dicom-web/"
required = false
order = "newest"
verify = "readback"
headers = { x-tenant = "north" }
filter = { modalities = ["CT", "MR"], sop_classes = ["1.2.840.10008.5.1.4.1.1.2"] }

[[sync.sinks.pixels.priorities]]
ae_titles = ["ANGIO"]
priority = 0

[[sync.sinks.pixels.priorities]]
older_than_days = 30
priority = 9

[[sync.sinks.pixels.rates]]
days = "mon-fri"
hours = "07-19"
bytes_per_second = 500000

[sync.sinks.old]
active = false
"""


def test_a_table_becomes_a_route(tmp_path: Path) -> None:
    settings = load(written(tmp_path, TABLE), {}).settings
    ct = ("1.2.840.10008.5.1.4.1.1.2",)
    assert settings.archive_values()["sinks"] == (
        Route("metadata", kinds=("state", "image", "transcode", "access")),
        Route(
            "pixels",
            kinds=("object",),
            selection=Selection(("CT", "MR"), (), ct),
            order=NEWEST,
            priorities=(PriorityRule(Selection(ae_titles=("ANGIO",)), 0), PriorityRule(Selection(), 9, 30)),
            required=False,
            proof=True,
        ),
    )


def test_each_kind_has_keys_of_its_own(tmp_path: Path) -> None:
    sinks = load(written(tmp_path, TABLE), {}).settings.sync.sinks
    kafka, stow, old = sinks["metadata"], sinks["pixels"], sinks["old"]
    assert isinstance(kafka, KafkaEntry) and kafka.bootstrap_servers[1] == "[::1]:9093"
    assert isinstance(stow, StowEntry) and stow.url == "https://pacs.example/dicom-web"
    assert stow.headers == {"x-tenant": "north"}
    assert isinstance(old, DirectoryEntry)
    (rate,) = stow.rates
    assert (rate.weekdays, rate.span) == (frozenset(range(5)), (7, 19))


def test_variables_reach_into_a_table_of_any_kind(tmp_path: Path) -> None:
    values = {"PIXELS__BATCH_COUNT": "3", "METADATA__PROFILE": "direct"}
    environ = {f"APPLIANCE__SYNC__SINKS__{name}": value for name, value in values.items()}
    settings = load(written(tmp_path, TABLE), environ).settings
    stow, kafka = settings.sync.sinks["pixels"], settings.sync.sinks["metadata"]
    assert isinstance(stow, StowEntry) and stow.batch_count == 3
    assert kafka.event_kinds == ("state", "image", "object", "access")


@pytest.mark.parametrize(
    ("text", "days"),
    [("mon-sun", range(7)), ("sat,sun", (5, 6)), ("Fri - Mon", (0, 4, 5, 6)), ("mon-tue,thu", (0, 1, 3))],
)
def test_days_are_read(text: str, days: tuple[int, ...]) -> None:
    assert weekdays(text) == frozenset(days)


@pytest.mark.parametrize(("text", "hours"), [("00-24", (0, 24)), ("7-19", (7, 19)), ("22-06", (22, 6))])
def test_hours_are_read(text: str, hours: tuple[int, int]) -> None:
    assert span(text) == hours


@pytest.mark.parametrize("text", ["", "24-06", "7", "07-07", "07:30-19", "-1-5"])
def test_what_are_no_hours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="07-19"):
        span(text)


def test_a_relative_secret_is_a_credential_of_systemd() -> None:
    environ = {"CREDENTIALS_DIRECTORY": "/run/credentials/sync"}
    assert credential(Path("token"), environ, "k") == Path("/run/credentials/sync/token")
    assert credential(Path("/etc/token"), environ, "k") == Path("/etc/token")
    assert credential(None, {}, "k") is None
    with pytest.raises(ConfigurationError, match="k = 'token' is relative"):
        credential(Path("token"), {}, "k")


def test_a_credential_of_the_directory_that_the_units_hand_over_goes_by_its_own_name(tmp_path: Path) -> None:
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    (tmp_path / "appliance_token").touch()
    assert credential(Path("token"), environ, "k") == tmp_path / "appliance_token"
    (tmp_path / "token").touch()
    assert credential(Path("token"), environ, "k") == tmp_path / "token"


def test_a_longer_lease_makes_room_for_a_longer_delivery_timeout() -> None:
    sink = {"kind": "kafka", "bootstrap_servers": ["k:9092"], "delivery_timeout": 100, "lease_seconds": 120}
    assert load(None, {"APPLIANCE__SYNC__SINKS": json.dumps({"a": sink})}).settings.sync.sinks["a"].lease_seconds == 120


def test_places_name_where_a_sink_leads(tmp_path: Path) -> None:
    routes = {route.name: route for route in load(written(tmp_path, TABLE), {}).settings.archive_values()["sinks"]}
    assert routes["metadata"].places == ("kafka a.example:9093", "kafka [::1]:9093")
    assert routes["pixels"].places == ("stow https://pacs.example/dicom-web",)
    sinks = {"a": {"kind": "directory", "path": "/mnt/a"}, "b": {"kind": "directory"}, "c": {"kind": "memory"}}
    found = load(None, {"APPLIANCE__SYNC__SINKS": json.dumps(sinks)}).settings.archive_values()["sinks"]
    assert [route.places for route in found] == [("directory /mnt/a",), ("directory of its own",), ("memory",)]
