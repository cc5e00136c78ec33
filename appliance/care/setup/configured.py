"""The machine's configuration, as it is and as it would be with other answers in it."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance import places
from appliance.care.setup import toml
from appliance.care.setup.answers import Answers
from appliance.care.setup.files import read
from appliance.care.setup.machine import Machine
from appliance.config import Loaded, Settings, load
from appliance.errors import ConfigurationError

HEAD: Final = """\
# What the installer was answered. It stands above appliance.toml: change values here, or by
# `dpkg-reconfigure dicom-edge-appliance`, and then run `appliance init --system`.
# Further keys that you add are kept when it is written anew; comments are not.

"""


@dataclass(frozen=True, slots=True)
class Configured:
    """Settings in force, where each came from, and what the file of the answers says (or would say)."""

    loaded: Loaded
    tree: Mapping[str, Any]
    text: str | None
    vendor: str

    @property
    def settings(self) -> Settings:
        """The settings."""
        return self.loaded.settings

    def is_set(self, key: str) -> bool:
        """Say whether the installation sets a key: what the package decides does not count."""
        return self.origin(key) not in ("", self.vendor)

    def origin(self, key: str) -> str:
        """Return where a key was set, "" where it was not."""
        return self.loaded.origins.get(key, "")


def configured(machine: Machine) -> Configured:
    """Read the configuration. Raises ConfigurationError that names every mistake."""
    text = read(machine.at(places.ANSWERS))
    return Configured(_loaded(machine, {}), _tree(text), text, str(machine.at(places.VENDOR)))


def with_answers(machine: Machine, now: Configured, wanted: Mapping[str, Any]) -> Configured:
    """Return the configuration as it would be with `wanted` (by dotted key; None is to be unset) in it.

    Nothing is written. A value that appliance.toml has already is not repeated, keys of others in the file stay. The
    appliance's own loading reads the result. Raises ConfigurationError that names every mistake.
    """
    tree = copy.deepcopy(dict(now.tree))
    for key, value in wanted.items():
        section, name = key.split(".")
        here = tree.setdefault(section, {})
        if value is None:
            here.pop(name, None)
        elif name in here or not _stands_above(machine, now, key, value):
            here[name] = value
        if not here:
            del tree[section]
    if tree == now.tree and now.text is not None:
        return now
    text = HEAD + toml.dumped(tree)
    if tomllib.loads(text) != tree:
        raise ConfigurationError(
            f"{places.ANSWERS} cannot be written anew without losing what it says",
            hint="move your keys to another file",
        )
    return Configured(_loaded(machine, {machine.at(places.ANSWERS): text}), tree, text, now.vendor)


def wanted_values(answers: Answers, files: tuple[Path, Path] | None, hosts: tuple[str, ...]) -> dict[str, Any]:
    """Return what the answers mean, by dotted key. `files`: certificate and key; None leaves an administrator's own."""
    main, *further = answers.dicom_ports
    found = {
        "site.id": answers.site,
        "site.tenant": answers.tenant,
        "scp.host": answers.dicom_address,
        "scp.port": main,
        "scp.additional_ports": list(further),
        "scp.ae_title": answers.ae_title,
        "scp.tls_port": answers.dicom_tls_port,
        "web.allowed_hosts": list(hosts),
    }
    if files is not None:
        found |= {"scp.tls_certificate": str(files[0]), "scp.tls_key": str(files[1])}
    return found


def _stands_above(machine: Machine, now: Configured, key: str, value: Any) -> bool:
    """Whether appliance.toml, the administrator's file, says the same."""
    if now.origin(key) != str(machine.at(places.CONFIGURATION)):
        return False
    section, name = key.split(".")
    found = getattr(getattr(now.settings, section), name)
    return bool((list(found) if isinstance(found, tuple) else found) == value)


def _loaded(machine: Machine, instead: Mapping[Path, str]) -> Loaded:
    main = machine.at(places.CONFIGURATION)
    missing = {} if main.exists() else {main: ""}
    return load(main, {}, vendor=machine.at(places.VENDOR), instead={**missing, **instead})


def _tree(text: str | None) -> Mapping[str, Any]:
    # It was loaded a moment ago, so it is TOML.
    return tomllib.loads(text) if text is not None else {}
