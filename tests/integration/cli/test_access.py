"""`appliance user` and `appliance token`: accounts without a password on any command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from appliance.access.book import FILE, Book
from appliance.config import load
from appliance.errors import ConfigurationError
from tests.integration.cli.conftest import Home

PASSWORD = "a good long sentence"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file with the password and an editor's newline."""
    path = tmp_path / "password"
    path.write_text(f"{PASSWORD}\n")
    return path


def test_init_prints_a_code_until_there_is_an_account(home: Home, secret: Path) -> None:
    first, second = home.run("init").stdout, home.run("init").stdout
    assert "Set-up code: " in first
    assert first != second
    home.run("user", "add", "Ann", "--role", "admin", "--password-file", secret)
    assert "Set-up code" not in home.run("init").stdout


def test_the_code_opens_the_set_up_once(home: Home) -> None:
    code = home.json("user", "setup-code")["code"]
    with Book(home.path) as book:
        book.reception.set_up(code, "root", PASSWORD, "")
        assert not book.setup.is_due()


def test_accounts_are_added_listed_closed_and_opened(home: Home, secret: Path) -> None:
    assert "no account" in home.run("user", "list").stdout
    home.run("user", "add", "Ann", "--role", "viewer", "--password-file", secret)
    (row,) = home.json("user", "list")
    assert (row["name"], row["role"], row["enabled"], row["login_at"]) == ("ann", "viewer", True, None)
    assert "password" not in row
    home.run("user", "disable", "ann")
    assert home.json("user", "list")[0]["enabled"] is False
    home.run("user", "enable", "ann")
    home.run("user", "reset", "ann", "--password-file", secret)
    facts = [line["fact"] for line in home.json("user", "audit")]
    assert facts[:4] == ["password reset", "account enabled", "account disabled", "account added"]


@pytest.mark.parametrize("verb", ["enable", "disable", "reset"])
def test_an_account_that_is_not_there_ends_with_66(home: Home, secret: Path, verb: str) -> None:
    more = ("--password-file", secret) if verb == "reset" else ()
    assert "next:" in home.run("user", verb, "nobody", *more, code=66).stderr


def test_what_cannot_be_is_a_usage_error(home: Home, secret: Path, tmp_path: Path) -> None:
    def add(name: str, role: str, file: Path) -> str:
        return home.run("user", "add", name, "--role", role, "--password-file", file, code=2).stderr

    weak, empty = tmp_path / "weak", tmp_path / "empty"
    weak.write_text("secret12")
    empty.write_text("")
    assert "secret12" not in add("ann", "viewer", weak)
    add("ann", "viewer", empty)
    add("a/b", "viewer", secret)
    add("ann", "monitor", secret)
    add("ann", "viewer", tmp_path / "absent")
    home.run("user", "add", "ann", "--role", "viewer", "--password-file", secret)
    add("ANN", "viewer", secret)
    # No terminal, no file: nothing is read from anywhere.
    assert "--password-file" in home.run("user", "add", "bob", "--role", "viewer", code=2).stderr


def test_tokens_are_shown_once(home: Home) -> None:
    token = home.run("token", "add", "probe", "--role", "monitor", "--expires", "12h").stdout.strip()
    assert token.startswith("dea_")
    listed = home.run("token", "list", "--json").stdout
    assert token not in listed
    home.run("token", "add", "probe", "--role", "viewer", code=2)
    home.run("token", "revoke", "probe")
    home.run("token", "revoke", "probe", code=66)
    made = home.json("token", "add", "probe", "--role", "viewer", "--expires", "never")
    assert home.json("token", "list")[1]["expires_at"] is None
    with Book(home.path) as book:
        assert book.tokens.identify(made["token"]) is not None


@pytest.mark.parametrize("text", ["", "0d", "90", "-1d", "999999d", "soon"])
def test_a_lifetime_is_a_time(home: Home, text: str) -> None:
    home.run("token", "add", "probe", "--role", "viewer", "--expires", text, code=2)


def test_the_database_is_not_everybodys_to_read(home: Home) -> None:
    home.run("user", "list")
    assert os.stat(home.path / FILE).st_mode & 0o077 == 0
    (home.path / FILE).chmod(0o644)
    home.run("user", "list")
    assert os.stat(home.path / FILE).st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"HOST": "0.0.0.0"}, "plain_http"),
        ({"HOST": "192.168.1.5", "LOGIN": "open", "PLAIN_HTTP": "true"}, "loopback"),
        ({"LOGIN": "open", "TRUSTED_PROXIES": '["127.0.0.1"]'}, "reaches a proxy"),
        ({"LOGIN": "none"}, "web.login"),
        ({"TRUSTED_PROXIES": '["nginx"]'}, "trusted_proxies"),
    ],
)
def test_a_door_that_lets_everybody_in_is_no_configuration(variables: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        load(None, {f"APPLIANCE__WEB__{name}": value for name, value in variables.items()})


@pytest.mark.parametrize(
    "variables",
    [{"HOST": "::1", "LOGIN": "open"}, {"HOST": "localhost", "LOGIN": "open"}, {"HOST": "0.0.0.0", "PLAIN_HTTP": "1"}],
)
def test_other_doors_are(variables: dict[str, str]) -> None:
    load(None, {f"APPLIANCE__WEB__{name}": value for name, value in variables.items()})
