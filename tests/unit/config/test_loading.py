"""Where settings come from, and who wins."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from appliance import places
from appliance.config import Settings, load, loading
from appliance.config.loading import lookalikes
from appliance.errors import ConfigurationError
from tests.architecture.source import ROOT


def written(folder: Path, text: str, name: str = "appliance.toml") -> Path:
    """Write a configuration file."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_set_listens_on_loopback_only(tmp_path: Path) -> None:
    loaded = load(written(tmp_path, ""), {})
    settings = loaded.settings
    assert (settings.scp.host, settings.scp.port, settings.scp.ae_title) == ("127.0.0.1", 11112, "APPLIANCE")
    assert (settings.web.host, settings.web.port) == ("127.0.0.1", 8080)
    assert settings.home == Path("/var/lib/dicom-edge-appliance")
    assert settings.runtime_directory == settings.home / "run"
    assert settings.sink_path("outbound") == settings.home / "outbound"
    assert loaded.origins == {}


def test_later_sources_win_key_by_key_and_each_value_knows_its_origin(tmp_path: Path) -> None:
    path = written(tmp_path, '[scp]\nport = 1\nhost = "::1"\nae_title = "ONE"\n')
    part = written(tmp_path, "[scp]\nport = 2\nmax_pdu = 16384\n", "conf.d/50-scp.toml")
    last = written(tmp_path, "[scp]\nport = 3\n", "conf.d/60-scp.toml")
    loaded = load(path, {"APPLIANCE__SCP__AE_TITLE": "TWO"})
    scp = loaded.settings.scp
    assert (scp.host, scp.port, scp.max_pdu, scp.ae_title) == ("::1", 3, 16384, "TWO")
    assert loaded.origins == {
        "scp.host": str(path),
        "scp.port": str(last),
        "scp.max_pdu": str(part),
        "scp.ae_title": "environment variable APPLIANCE__SCP__AE_TITLE",
    }


def test_a_missing_file_is_an_error_only_where_it_was_named(tmp_path: Path) -> None:
    load(None, {})
    with pytest.raises(ConfigurationError, match=r"absent\.toml"):
        load(tmp_path / "absent.toml", {})


@pytest.mark.parametrize("text", ["[scp\n", "a = \n", "\x00"])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"appliance\.toml is not TOML"):
        load(written(tmp_path, text), {})


def test_variables_reach_every_depth() -> None:
    environ = {
        "APPLIANCE__HOME": "/srv/box",
        "APPLIANCE__SCP__ACCEPT_UNKNOWN": "true",
        "APPLIANCE__SCP__DRAIN_TIMEOUT": "2.5",
        "APPLIANCE__WEB__ALLOWED_HOSTS": '["pacs.example", "10.0.0.1"]',
        "APPLIANCE__SCP__PEERS": '[{"ae_title": "CT1", "address": "10.0.0.0/8"}]',
        "APPLIANCE__SYNC__SINKS__CLOUD__KIND": "memory",
        "APPLIANCE_SUPERVISOR": "1",
        "HOME": "/root",
    }
    settings = load(None, environ).settings
    assert (settings.home, settings.scp.accept_unknown) == (Path("/srv/box"), True)
    assert settings.scp.drain_timeout == 2.5
    assert settings.web.allowed_hosts == ("pacs.example", "10.0.0.1")
    assert settings.scp.peers[0].ae_title == "CT1"
    assert list(settings.sync.sinks) == ["cloud"]


def test_the_own_environment_is_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE__SCP__PORT", "99")
    monkeypatch.setenv("SCP", '{"port": 98}')
    monkeypatch.setenv("HOME", "/elsewhere")
    assert Settings().scp.port == 11112
    assert load(None, {}).settings.scp.port == 11112
    assert load(None, {}).settings.home == Path("/var/lib/dicom-edge-appliance")


def test_a_relative_home_becomes_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, {"APPLIANCE__HOME": "var"}).settings.home == tmp_path / "var"


def test_settings_do_not_change_once_read() -> None:
    with pytest.raises(ValidationError):
        Settings().scp.port = 1


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("APPLIANCE_HOME", "did you mean APPLIANCE__HOME?"),
        ("APPLIANCE_SCP_PORT", "did you mean APPLIANCE__SCP__PORT?"),
        ("APPLIANCE_SCP__AE_TITLE", "did you mean APPLIANCE__SCP__AE_TITLE?"),
        ("appliance_web_host", "did you mean APPLIANCE__WEB__HOST?"),
        ("APPLIANCE_SYNC_SINKS_A_PATH", "settings begin with APPLIANCE__"),
    ],
)
def test_a_variable_that_only_looks_like_a_setting_is_told(variable: str, words: str) -> None:
    (sentence,) = lookalikes({variable: "x"})
    assert sentence.startswith(f"{variable} is not read")
    assert words in sentence


def test_variables_of_others_are_nobodys_business() -> None:
    environ = ("APPLIANCE__HOME", "APPLIANCE_SUPERVISOR", "APPLIANCE_FAILPOINTS", "APPLIANCEHOME", "HOME", "SCP_PORT")
    assert lookalikes(dict.fromkeys(environ, "x")) == []


def test_what_the_package_decides_is_below_everything_else(tmp_path: Path) -> None:
    vendor = written(tmp_path, '[scp]\nport = 1\nhost = "::1"\n', "vendor.toml")
    path = written(tmp_path, "[scp]\nport = 2\n")
    loaded = load(path, {}, vendor=vendor)
    assert (loaded.settings.scp.port, loaded.settings.scp.host) == (2, "::1")
    assert loaded.origins == {"scp.port": str(path), "scp.host": str(vendor)}


def test_the_installed_layer_is_for_the_installed_box_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "VENDOR", written(tmp_path, "[scp]\nport = 4242\n", "vendor.toml"))
    monkeypatch.setattr(loading, "DEFAULT_PATH", tmp_path / "none" / "appliance.toml")
    assert load(None, {}).settings.scp.port == 4242
    assert load(None, {"APPLIANCE__HOME": "/var/lib/dicom-edge-appliance"}).settings.scp.port == 4242
    assert load(None, {"APPLIANCE__HOME": str(tmp_path)}).settings.scp.port == 11112
    assert load(written(tmp_path, ""), {}).settings.scp.port == 11112


def test_a_file_can_be_tried_before_it_is_written(tmp_path: Path) -> None:
    path = written(tmp_path, "[scp]\nport = 1\n")
    part = tmp_path / "conf.d" / "50-tried.toml"
    assert load(path, {}, instead={part: "[scp]\nport = 2\n"}).settings.scp.port == 2
    with pytest.raises(ConfigurationError, match=r"50-tried\.toml"):
        load(path, {}, instead={part: "[scp]\nport = 'x'\n"})
    assert not part.exists()


def test_the_packages_layer_is_sound() -> None:
    path = ROOT / "packaging" / "vendor.toml"
    settings = load(path, {}).settings
    assert (settings.runtime, settings.web.socket) == (places.RUNTIME, places.WEB_SOCKET)
    assert settings.codec.socket == places.CODEC_SOCKET
    assert settings.sync.sinks == {}, "images are not doubled on the disk of a box that was told of no destination"
    assert settings.retention.interval_seconds == 0, "a timer does it"


def test_a_destination_takes_the_place_of_the_packages_none(tmp_path: Path) -> None:
    vendor = ROOT / "packaging" / "vendor.toml"
    path = written(tmp_path, '[sync.sinks.stick]\nkind = "directory"\npath = "/mnt/stick"\n')
    assert list(load(path, {}, vendor=vendor).settings.sync.sinks) == ["stick"]
