"""Database and first account, by the appliance's own verbs and as its own user."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from appliance.access.faults import Unfit
from appliance.access.names import new_password
from appliance.care.setup.answers import Answers
from appliance.care.setup.machine import Machine
from appliance.care.setup.step import Action, Step
from appliance.errors import ConfigurationError

PART: Final = "database"
ACCOUNT: Final = "account"
ADMINISTRATOR: Final = "admin"


def database_step(machine: Machine, home: Path, tenant: str) -> Step:
    """Return the step after which the database has this version's schema; one that is migrated is copied first.

    Raises ConfigurationError for a database of another tenant, or one that a newer version has made.
    """
    if not machine.at(home / "index.db").is_file():
        return Step(PART, "index.db", Action.MAKE, apply=lambda: machine.appliance("init", "--no-code") and "")
    found = _status(machine)
    if found["tenant"] not in ("", tenant):
        raise ConfigurationError(
            f"the images here belong to tenant {found['tenant']!r}, the answers say {tenant!r}",
            hint=f"answer {found['tenant']!r}; images of another tenant need another home",
        )
    if found["compatible_from"] > found["needed_version"]:
        raise ConfigurationError(
            f"the database has schema {found['schema_version']}, made by a newer version of the appliance",
            hint=f"install that version again, or bring back the copy made before the upgrade ({home}/backups)",
        )
    if not found["pending"]:
        return Step(PART, "index.db", Action.KEEP, f"schema {found['schema_version']}")
    detail = f"schema {found['schema_version']} to {found['needed_version']}; copied before"
    return Step(PART, "index.db", Action.RUN, detail, apply=lambda: machine.appliance("db", "migrate") and "")


def account_steps(machine: Machine, home: Path, answers: Answers) -> Iterator[Step]:
    """Yield the step to an account that can log in. Raises ConfigurationError for a password that is unfit."""
    accounts = _accounts(machine, home)
    password = answers.admin_password
    if password:
        _check(password)
        known = ADMINISTRATOR in accounts
        words = ("reset", ADMINISTRATOR) if known else ("add", ADMINISTRATOR, "--role", "admin")
        yield Step(
            ACCOUNT, ADMINISTRATOR, Action.CHANGE if known else Action.MAKE, "with the password that was answered",
            apply=lambda: machine.appliance("user", *words, "--password-file", "-", given=f"{password}\n") and "",
        )  # fmt: skip
    elif accounts:
        yield Step(ACCOUNT, "people", Action.KEEP, f"{len(accounts)} there")
    elif answers.setup_code:
        yield Step(ACCOUNT, "set-up code", Action.MAKE, "valid for a day", apply=lambda: _code(machine))
    else:
        yield Step(ACCOUNT, "people", Action.LEAVE, "nobody can log in yet: appliance user setup-code")


def _status(machine: Machine) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(machine.appliance("db", "status", "--json", ends=(0, 1)))
    return found


def _accounts(machine: Machine, home: Path) -> list[str]:
    if not machine.at(home / "access.db").is_file() or not machine.at(home / "index.db").is_file():
        return []
    return [str(row["name"]) for row in json.loads(machine.appliance("user", "list", "--json"))]


def _code(machine: Machine) -> str:
    return str(json.loads(machine.appliance("user", "setup-code", "--json"))["code"])


def _check(password: str) -> None:
    try:
        new_password(password, ADMINISTRATOR)
    except Unfit as unfit:
        raise ConfigurationError(
            f"admin_password cannot be used: {unfit.message}", hint="answer another, or none and use a set-up code"
        ) from None
