"""The loader's wiring: which topic goes to which database; nothing is opened for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance import lifecycle
from appliance.central.loader_main import _longest_piece, _places
from appliance.central.loader_numbers import LoaderNumbers
from appliance.config import load
from appliance.errors import ConfigurationError

PG, DORIS = "postgres", "doris"
USUAL = {
    "dicom_state_queue": (PG, "dicom_state_meta"),
    "dicom_image_queue": (DORIS, "dicom_image_meta"),
    "log_queue": (DORIS, "dicom_object_meta"),
    "storage_queue": (PG, "dicom_object_meta"),
    "dicom_transcode_queue": (DORIS, "dicom_transcode_log"),
    "webapi_access_queue": (DORIS, "dicom_access_log"),
}


def _routes(folder: Path, text: str) -> dict[str, tuple[str, str]]:
    file = folder / "appliance.toml"
    file.write_text(text)
    settings = load(file, {}).settings
    stop = lifecycle.Stop()
    try:
        places = _places(settings, stop, LoaderNumbers())
    finally:
        stop.close()
    return {topic: (route.target.name, route.table) for topic, route in places.routes.items()}


def test_states_and_storage_go_to_postgres_and_the_rest_to_doris(tmp_path: Path) -> None:
    assert _routes(tmp_path, "") == USUAL


def test_without_doris_everything_goes_to_postgres(tmp_path: Path) -> None:
    found = _routes(tmp_path, '[central.loader]\nimage_store = "postgres"\n')
    assert found == {topic: (PG, table) for topic, (_, table) in USUAL.items()}


def test_topics_have_other_names_where_that_is_said_and_a_loader_reads_some_of_them(tmp_path: Path) -> None:
    text = '[central.loader]\nkinds = ["state", "access"]\n[central.kafka.topics]\nstate = "mine"\n'
    assert set(_routes(tmp_path, text)) == {"mine", "webapi_access_queue"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 300),
        ("[central.postgres]\nconnect_timeout = 5\nstatement_timeout = 100\nlock_timeout = 10\n", 5 + 10 * 110),
        ("[central.doris]\nconnect_timeout = 5\nload_timeout = 600\n", 4 * 605),
    ],
)
def test_the_watchdog_waits_for_the_longest_load_that_is_allowed(tmp_path: Path, text: str, seconds: float) -> None:
    file = tmp_path / "appliance.toml"
    file.write_text(text)
    assert _longest_piece(load(file, {}).settings) >= seconds


@pytest.mark.parametrize(
    "text",
    [
        '[central.kafka]\nsecurity = "SASL_SSL"\n',
        '[central.kafka]\nusername = "x"\n',
        "[central.loader]\nkinds = []\n",
        '[central.loader]\nkinds = ["pixels"]\n',
        "[central.loader]\nbatch_rows = 5001\n",
    ],
)
def test_settings_that_do_not_fit_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError):
        _routes(tmp_path, text)
