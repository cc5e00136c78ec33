"""The installation a command works on: its configuration and its archive."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import click

from appliance.archive.room import Archive
from appliance.archive.settings import ArchiveSettings
from appliance.config import Loaded, Settings, load

HOME_VARIABLE = "APPLIANCE__HOME"


@dataclass
class Installation:
    """What `--config` and `--home` chose. Nothing is read before a verb asks for it."""

    config: Path | None = None
    home: Path | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    @classmethod
    def chosen(cls, config: Path | None, home: Path | None) -> Installation:
        """The installation of the global options; `--home` stands above file and environment."""
        chosen = None if home is None else home.absolute()
        over = {} if chosen is None else {HOME_VARIABLE: str(chosen)}
        return cls(config, chosen, {**os.environ, **over})

    @cached_property
    def loaded(self) -> Loaded:
        """Settings and where each came from. Raises ConfigurationError."""
        loaded = load(self.config, self.environ)
        if self.home is not None:
            loaded.origins["home"] = "option --home"
        return loaded

    @property
    def settings(self) -> Settings:
        """The settings. Raises ConfigurationError."""
        return self.loaded.settings

    @property
    def layout(self) -> ArchiveSettings:
        """The archive's part of the settings."""
        return ArchiveSettings(**self.settings.archive_values())

    @property
    def runtime(self) -> Path:
        """Where the rooms publish their numbers."""
        return self.settings.runtime_directory

    @contextmanager
    def archive(self, *, writes_much: bool = False) -> Iterator[Archive]:
        """The archive, open for one command. Raises SchemaMismatch when it was not initialised."""
        archive = Archive.open(self.layout, "cli", housekeeping=writes_much)
        try:
            yield archive
        finally:
            archive.close()

    def command(self, verb: str) -> list[str]:
        """Arguments after `python -m appliance` that run `verb` on this same installation."""
        chosen = [] if self.config is None else ["--config", str(self.config.absolute())]
        home = self.environ.get(HOME_VARIABLE)
        return [*chosen, *(["--home", home] if home else []), verb]


pass_installation = click.make_pass_decorator(Installation)
