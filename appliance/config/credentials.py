"""Files that hold secrets and certificates: named in the configuration, found beside it or handed over by systemd."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from appliance.errors import ConfigurationError

DIRECTORY_VARIABLE = "CREDENTIALS_DIRECTORY"


def credential(path: Path | None, environ: Mapping[str, str], key: str) -> Path | None:
    """Return where the file of the configuration's `key` lies; None stays None. Nothing is read.

    A relative path is a systemd credential: it lies below $CREDENTIALS_DIRECTORY. Raises
    ConfigurationError where that variable is not set.
    """
    if path is None or path.is_absolute():
        return path
    directory = environ.get(DIRECTORY_VARIABLE, "")
    if not directory:
        hint = f"write an absolute path, or let systemd hand the file over (LoadCredential={path}:/etc/...)"
        raise ConfigurationError(f"{key} = {str(path)!r} is relative, and {DIRECTORY_VARIABLE} is not set", hint=hint)
    return Path(directory) / path
