"""A mistake in the configuration is named: the key, the value, where it stands, and the mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.config import load
from appliance.errors import ConfigurationError


def complaint(variables: dict[str, str], path: Path | None = None) -> str:
    """The message about these variables, written without their prefix."""
    with pytest.raises(ConfigurationError) as refusal:
        load(path, {f"APPLIANCE__{name}": value for name, value in variables.items()})
    assert "config check" in refusal.value.hint
    return str(refusal.value)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"SCP__PORT": "abc"}, ("scp.port = 'abc'", "APPLIANCE__SCP__PORT", "whole number")),
        ({"SCP__PORT": "70000"}, ("scp.port = '70000'", "65535")),
        ({"SCP__PROT": "1"}, ("scp.prot = '1'", "did you mean scp.port?")),
        ({"SPC__PORT": "1"}, ("spc", "APPLIANCE__SPC__PORT", "did you mean scp?")),
        ({"WEB__ALLOWED_HOSTS": "a.b"}, ("web.allowed_hosts = 'a.b'", '["a", "b"]')),
        ({"ARCHIVE__TIMEZONE": "Mars/North"}, ("archive.timezone = 'Mars/North'", "Europe/Vienna")),
        ({"ARCHIVE__TIMEZONE": "../../etc/passwd"}, ("archive.timezone", "IANA")),
        ({"SITE__TENANT": ".."}, ("site.tenant = '..'",)),
        ({"SITE__ID": "Box_1"}, ("site.id = 'Box_1'",)),
        ({"SCP__AE_TITLE": "SEVENTEEN LETTERS"}, ("scp.ae_title", "16 printable")),
        ({"SCP__AE_TITLE": "A\\B"}, ("scp.ae_title", "backslash")),
        ({"SCP__TLS_PORT": "2762"}, ("scp", "tls_port needs tls_certificate and tls_key")),
        ({"SCP__TLS_CRL": "/crl.pem"}, ("scp", "tls_crl needs tls_ca")),
        ({"SCP__DRAIN_TIMEOUT": "0"}, ("scp.drain_timeout = '0'",)),
        ({"SCP__DRAIN_TIMEOUT": "nan"}, ("scp.drain_timeout = 'nan'",)),
        ({"SYNC__SINKS__A__KIND": "kafkaa"}, ("sync.sinks.a.kind = 'kafkaa'", "directory")),
        ({"SYNC__SINKS__A__PTAH": "/x"}, ("did you mean sync.sinks.a.path?",)),
        ({"SYNC__SINKS": '{"../x": {}}'}, ("sync.sinks.../x",)),
        ({"SCP": "1"}, ("scp = 1", "table of keys")),
    ],
)
def test_a_mistake_is_named(variables: dict[str, str], words: tuple[str, ...]) -> None:
    message = complaint(variables)
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (
            '{"ae_title": "CT1", "adress": "10.0.0.1"}',
            ("scp.peers.0.adress", "did you mean scp.peers.0.address?"),
        ),
        ('{"ae_title": "CT1", "address": "10.0.0"}', ("scp.peers.0.address = '10.0.0'", "192.168.10.0/24")),
        ('{"address": "10.0.0.1"}', ("scp.peers.0.ae_title", "missing")),
        ('{"ae_title": "CT1", "assumed_charset": "klingon"}', ("scp.peers.0.assumed_charset", "codec")),
        (
            '{"ae_title": "CT1", "transfer_syntaxes": ["1.2/3"]}',
            ("scp.peers.0.transfer_syntaxes.0 = '1.2/3'",),
        ),
        ('{"ae_title": "CT1"}, {"ae_title": "CT1"}', ("two entries",)),
    ],
)
def test_a_mistake_in_a_peer_is_named(entry: str, words: tuple[str, ...]) -> None:
    message = complaint({"SCP__PEERS": f"[{entry}]"})
    assert all(word in message for word in words), message


KAFKA = '"kind": "kafka", "bootstrap_servers": ["k:9092"]'
STOW = '"kind": "stow", "url": "https://pacs.example/dicom-web"'


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ('"kind": "fax"', ("sync.sinks.a.kind = 'fax'", "directory, kafka, memory, stow")),
        ('"kind": "kafka"', ("sync.sinks.a.bootstrap_servers", "missing")),
        ('"kind": "kafka", "bootstrap_servers": []', ("sync.sinks.a.bootstrap_servers", "at least 1")),
        ('"kind": "kafka", "bootstrap_servers": ["k"]', ("sync.sinks.a.bootstrap_servers.0 = 'k'", "host:port")),
        (KAFKA + ', "path": "/x"', ("sync.sinks.a.path", "no such key of a kafka sink")),
        (KAFKA + ', "pasword_file": "x"', ("did you mean sync.sinks.a.password_file?",)),
        (KAFKA + ', "password": "hush"', ("sync.sinks.a.password = ****",)),
        (KAFKA + ', "security": "SASL_SSL"', ("sync.sinks.a", "needs username and password_file")),
        (KAFKA + ', "username": "box"', ("sync.sinks.a", "set SASL_SSL")),
        (KAFKA + ', "tls_key": "/k"', ("sync.sinks.a", "tls_certificate and tls_key")),
        (KAFKA + ', "delivery_timeout": 41', ("sinks.a.delivery_timeout", "41 s", "60 s", "sinks.a.lease_seconds")),
        (KAFKA + ', "lease_seconds": 49', ("lease (49 s)", "30 s")),
        (KAFKA + ', "topics": {"states": "x"}', ("sync.sinks.a.topics.states",)),
        (KAFKA + ', "topics": {"state": "a b"}', ("sync.sinks.a.topics.state = 'a b'",)),
        ('"kind": "stow"', ("sync.sinks.a.url", "missing")),
        ('"kind": "stow", "url": "ftp://x"', ("sync.sinks.a.url", "https://pacs.example/dicom-web")),
        ('"kind": "stow", "url": "https://me:hush@x"', ("sync.sinks.a.url", "token_file")),
        (STOW + ', "headers": {"Authorization": "x"}', ("sync.sinks.a.headers.Authorization", "token_file")),
        (STOW + ', "headers": {"x": "a\\nb"}', ("sync.sinks.a.headers.x",)),
        (STOW + ', "proxy": "socks://x"', ("sync.sinks.a.proxy", "http://proxy.example:3128")),
        (STOW + ', "verify": "receipts"', ("sync.sinks.a", "receipt_key_file")),
        (STOW + ', "verify": "maybe"', ("sync.sinks.a.verify = 'maybe'", "readback")),
        ('"rates": [{"bytes_per_second": 1, "days": "mo-fr"}]', ("sync.sinks.a.rates.0.days = 'mo-fr'", "mon-fri")),
        ('"rates": [{"bytes_per_second": 1, "hours": "7-25"}]', ("sync.sinks.a.rates.0.hours = '7-25'", "07-19")),
        ('"rates": [{"days": "mon"}]', ("sync.sinks.a.rates.0.bytes_per_second", "missing")),
        ('"priorities": [{"priority": 10}]', ("sync.sinks.a.priorities.0.priority = 10", "less than or equal to 9")),
        ('"priorities": [{"modality": "CT"}]', ("did you mean sync.sinks.a.priorities.0.modalities?",)),
        ('"filter": {"modalities": ["ct"]}', ("sync.sinks.a.filter.modalities.0 = 'ct'",)),
        ('"order": "lifo"', ("sync.sinks.a.order = 'lifo'", "newest")),
    ],
)
def test_a_mistake_in_a_sink_is_named(entry: str, words: tuple[str, ...]) -> None:
    message = complaint({"SYNC__SINKS": f'{{"a": {{{entry}}}}}'})
    assert all(word in message for word in words), message
    assert "hush" not in message or "url" in message


@pytest.mark.parametrize(
    "charset", ["gbk", "GB18030", "ISO_IR 100", "\\\\ISO 2022 IR 58", "ISO 2022 IR 6\\\\ISO 2022 IR 87"]
)
def test_a_character_set_may_be_a_defined_term_or_a_codec(charset: str) -> None:
    entry = f'[{{"ae_title": "CT1", "assumed_charset": "{charset}"}}]'
    assert load(None, {"APPLIANCE__SCP__PEERS": entry}).settings.scp.peers


def test_all_mistakes_are_named_at_once() -> None:
    message = complaint({"SCP__PORT": "x", "WEB__PORT": "y"})
    assert "2 mistakes" in message
    assert "scp.port" in message and "web.port" in message


def test_the_file_of_a_mistake_is_named(tmp_path: Path) -> None:
    path = tmp_path / "box.toml"
    path.write_text("[scp]\nport = 'abc'\n")
    assert f"({path})" in complaint({}, path)


def test_a_secret_is_never_shown() -> None:
    message = complaint({"WEB__PASSWORD": "hush-hush", "SITE__API_TOKEN": "hush-hush"})
    assert "web.password = ****" in message
    assert "hush" not in message


def test_a_long_value_is_cut() -> None:
    assert len(complaint({"SCP__PORT": "9" * 5000})) < 400


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"SITE__ID": "Clinic 7"}, "a-z, 0-9 and hyphens"),
        ({"SITE__TENANT": ".hidden"}, "no dot first"),
        ({"WEB__HOST": "http://box/"}, "neither an IP address nor a host name"),
        ({"SCP__PRIVATE_SOP_CLASSES": '["1..2"]'}, "digits and single dots"),
        ({"SYNC__SINKS": '{"a b": {}}'}, "a-z, 0-9 and hyphens"),
    ],
)
def test_how_a_value_is_written_is_told_in_words(variables: dict[str, str], words: str) -> None:
    message = complaint(variables)
    assert words in message
    assert "pattern" not in message
