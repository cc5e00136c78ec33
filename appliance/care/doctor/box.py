"""The box as the doctor sees it: its settings, and the places of the machine that are looked at."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from appliance import places
from appliance.archive.settings import ArchiveSettings
from appliance.clock import Clock, SystemClock
from appliance.config import Settings, credential
from appliance.config.credentials import DIRECTORY_VARIABLE
from appliance.errors import ConfigurationError
from appliance.lifecycle import read_rooms

Rooms = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class Box:
    """One installation. `root` is where the machine's own file system begins; tests put another one there."""

    settings: Settings
    origins: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    root: Path = Path("/")
    clock: Clock = field(default_factory=SystemClock)
    user: int = field(default_factory=os.geteuid)

    def place(self, path: Path | str) -> Path:
        """Return where an absolute path of the machine is looked for."""
        return self.root / str(path).lstrip("/")

    @property
    def is_root(self) -> bool:
        """Whether everything of the machine can be seen."""
        return self.user == 0

    @property
    def is_insider(self) -> bool:
        """Whether what the rooms keep can be seen: by root, and by the owner of the home."""
        try:
            return self.is_root or self.settings.home.stat().st_uid == self.user
        except FileNotFoundError:
            return True  # that it is not there is what there is to see
        except OSError:
            return False

    @property
    def is_packaged(self) -> bool:
        """Whether these are the settings of an installed package: its directories are there, and its home is meant."""
        return self.place(places.LIB).is_dir() and self.settings.home == places.HOME

    @property
    def has_service_manager(self) -> bool:
        """Whether systemd runs here, as sd_booted(3) tells it."""
        return self.place("/run/systemd/system").is_dir()

    @cached_property
    def layout(self) -> ArchiveSettings:
        """Where the archive's files lie."""
        return ArchiveSettings(**self.settings.archive_values())

    def rooms(self) -> dict[str, dict[str, object]]:
        """Return what each room has published, by its name."""
        return dict(read_rooms(self.settings.runtime_directory))

    @cached_property
    def secrets(self) -> Mapping[str, str]:
        """The environment, with the place that the service manager takes credentials from, where we have none."""
        directory = self.place(places.CREDENTIALS)
        if DIRECTORY_VARIABLE in self.environ or not directory.is_dir():
            return self.environ
        return {**self.environ, DIRECTORY_VARIABLE: str(directory)}

    def file(self, path: Path | None, key: str) -> Path | None:
        """Return where the file of the configuration's `key` lies. Raises ConfigurationError as `credential` does."""
        try:
            return credential(path, self.secrets, key)
        except ConfigurationError as error:
            hint = "run the doctor as root: this file is the service manager's to hand over"
            raise ConfigurationError(error.message, hint=hint) from None
