"""The installation a command works on: its configuration and its archive."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import click

from appliance.archive.files import DIRECTORY_MODE
from appliance.archive.restoration import refuse_half_restored
from appliance.archive.room import Archive
from appliance.archive.settings import ArchiveSettings
from appliance.cli.owner import acting_for
from appliance.config import Loaded, Settings, load
from appliance.errors import ArchiveFailed, ConfigurationError, SchemaMismatch

HOME_VARIABLE = "APPLIANCE__HOME"
UNUSABLE: Mapping[int, str] = {
    errno.EACCES: "run it as a user who may write there (or root), or name another home by --home",
    errno.EPERM: "run it as a user who may write there (or root), or name another home by --home",
    errno.ENOENT: "make or mount the directory above it, or name another home by --home",
    errno.ENOTDIR: "name another home by --home",
    errno.EEXIST: "name another home by --home",
    errno.EROFS: "mount it for writing, or name another home by --home",
}


@dataclass
class Installation:
    """What the global options chose. Nothing is read before a verb asks for it."""

    config: Path | None = None
    home: Path | None = None
    tenant: str = ""
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    @classmethod
    def chosen(cls, config: Path | None, home: Path | None, tenant: str = "") -> Installation:
        """The installation of the global options; `--home` stands above file and environment."""
        chosen = None if home is None else home.absolute()
        over = {} if chosen is None else {HOME_VARIABLE: str(chosen)}
        return cls(config, chosen, tenant, {**os.environ, **over})

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

    def make_home(self) -> None:
        """Make the home directory; safe to repeat. Raises ConfigurationError where it cannot be made."""
        home = self.settings.home
        with usable(home):
            home.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)

    def initialise(self) -> None:
        """Make or complete home, file store and database; safe to repeat. Raises ConfigurationError, ArchiveError."""
        self.make_home()
        refuse_half_restored(self.settings.home)
        with usable(self.settings.home), acting_for(self.settings.home):
            Archive.initialise(self.layout)

    def require_database(self) -> None:
        """Raise SchemaMismatch that names the home when it holds no database."""
        refuse_half_restored(self.settings.home)
        if not self.layout.database.is_file():
            init = shlex.join(["appliance", *self.command("init")])
            raise SchemaMismatch(
                f"there is no database in {self.settings.home} yet", hint=f"run: {init}, or name another home by --home"
            )

    @contextmanager
    def archive(self, *, writes_much: bool = False) -> Iterator[Archive]:
        """The archive as `--tenant` has it, open for one command, which root runs as the owner of the home meanwhile.

        Raises SchemaMismatch when it was not initialised.
        """
        self.require_database()
        with acting_for(self.settings.home):
            archive = Archive.open(self.layout, "cli", housekeeping=writes_much, tenant=self.tenant)
            try:
                yield archive
            finally:
                archive.close()

    def command(self, verb: str) -> list[str]:
        """Arguments after `python -m appliance` that run `verb` on this same installation."""
        chosen = [] if self.config is None else ["--config", str(self.config.absolute())]
        home = self.environ.get(HOME_VARIABLE)
        return [*chosen, *(["--home", home] if home else []), verb]


@contextmanager
def usable(home: Path) -> Iterator[None]:
    """Turn errors that the administrator of `home` can mend into ConfigurationError."""
    try:
        yield
    except (OSError, ArchiveFailed) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        number = (cause.errno or 0) if isinstance(cause, OSError) else 0
        if number not in UNUSABLE:
            raise
        raise ConfigurationError(f"{home} cannot be used: {os.strerror(number)}", hint=UNUSABLE[number]) from error


pass_installation = click.make_pass_decorator(Installation)
