"""A file that a verb is about to make."""

from __future__ import annotations

import os
from pathlib import Path

import click


def new_file(ctx: click.Context, param: click.Parameter, path: Path) -> Path:
    """Return `path`, where nothing is yet in a directory that is there; else a usage error says what is in the way."""
    if os.path.lexists(path):
        raise click.BadParameter(f"{path} exists already")
    if not path.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no directory {path.absolute().parent}; make it first")
    return path
