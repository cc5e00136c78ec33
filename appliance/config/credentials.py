"""Files that hold secrets and certificates: named in the configuration, found beside it or handed over by systemd."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from appliance.errors import ConfigurationError
from appliance.places import CREDENTIALS

DIRECTORY_VARIABLE = "CREDENTIALS_DIRECTORY"
# The units hand over a whole directory, LoadCredential=appliance:…/credentials/, and systemd.exec(5) then puts the
# name of that line before each file's.
WHOLE = "appliance_"


def credential(path: Path | None, environ: Mapping[str, str], key: str) -> Path | None:
    """Return where the file of the configuration's `key` lies; None stays None. Nothing is read.

    A relative path is a systemd credential: it lies below $CREDENTIALS_DIRECTORY, under its own name, or under that
    of a file of the directory that the units hand over. Raises ConfigurationError where that variable is not set.
    """
    if path is None or path.is_absolute():
        return path
    directory = environ.get(DIRECTORY_VARIABLE, "")
    if not directory:
        hint = f"write an absolute path, or put it into {CREDENTIALS} and let the units hand it over"
        raise ConfigurationError(f"{key} = {str(path)!r} is relative, and {DIRECTORY_VARIABLE} is not set", hint=hint)
    own, of_directory = Path(directory) / path, Path(directory) / (WHOLE + path.name)
    return of_directory if of_directory.exists() and not own.exists() else own
