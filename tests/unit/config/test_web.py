"""The table `web`: doors that would let in more than they should are no configuration."""

from __future__ import annotations

import pytest

from appliance.config import Settings, WebSection, load
from appliance.errors import ConfigurationError

FINGERPRINT = "AB:" * 31 + "AB"


def web(**variables: str) -> WebSection:
    settings: Settings = load(None, {f"APPLIANCE__WEB__{name}": value for name, value in variables.items()}).settings
    return settings.web


def test_a_room_without_logins_has_no_socket_for_nginx() -> None:
    with pytest.raises(ConfigurationError, match="reaches a proxy"):
        web(LOGIN="open", SOCKET="/run/web.sock")


def test_fingerprints_are_read_in_any_spelling() -> None:
    found = web(CERTIFICATES=f'{{"{FINGERPRINT}": "machine"}}').certificates
    assert found == {"ab" * 32: "machine"}


def test_a_name_needs_the_authority_that_signed_it() -> None:
    with pytest.raises(ConfigurationError, match="tls_ca"):
        web(CERTIFICATES='{"CT 1": "machine"}')
    assert web(CERTIFICATES='{"CT 1": "machine"}', TLS_CA="/etc/ca.pem").certificates == {"CT 1": "machine"}


@pytest.mark.parametrize(
    "table", ['{"CT 1": "admin"}', '{"": "machine"}', '{" CT": "machine"}', '{"C\\u00e4T": "machine"}']
)
def test_who_comes_in_by_certificate_is_named_plainly_and_is_no_administrator(table: str) -> None:
    with pytest.raises(ConfigurationError, match="certificates"):
        web(CERTIFICATES=table, TLS_CA="/etc/ca.pem")


def test_browsers_are_sent_to_nginx_where_there_is_one() -> None:
    assert web().address == "http://127.0.0.1:8080"
    assert web(SOCKET="/run/web.sock").address == "http://127.0.0.1:8080"
    named = web(SOCKET="/run/web.sock", ALLOWED_HOSTS='["box.clinic.example", "10.0.0.5"]')
    assert named.address == "https://box.clinic.example"
