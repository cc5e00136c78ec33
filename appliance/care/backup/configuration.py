"""The files of the configuration that go into a snapshot, and which of them are secrets that do not."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance.config import Settings
from appliance.config.loading import DEFAULT_PATH

PARTS: Final = "conf.d"
CREDENTIALS: Final = "credentials"
LARGEST: Final = 16 << 20
PRIVATE: Final = b"PRIVATE KEY-----"
# Files whose content is a secret, whatever they are called: so are the keys that name them.
NAMING: Final = ("tls_key", "password_file", "token_file", "signature_key_file")
SUFFIXES: Final = (".key", ".secret", ".token", ".password", ".p12", ".pfx")


@dataclass(frozen=True, slots=True)
class Found:
    """A file of the configuration: where it is, and below which name it goes into the snapshot."""

    path: Path
    name: str


def files(config: Path | None) -> Iterator[Found]:
    """Yield the files of the configuration in force.

    The whole directory where it is the appliance's own in /etc; else the named file and conf.d beside it, for nobody
    knows what lies in somebody's own directory.
    """
    main = (config or DEFAULT_PATH).absolute()
    own = main.parent
    if own.parent == Path("/etc") and own.name.startswith("dicom-edge"):
        found = sorted(own.rglob("*"))
    else:
        found = [main, *sorted(own.glob(f"{PARTS}/*.toml"))]
    for path in found:
        if path.is_file() and not path.is_symlink():
            yield Found(path, str(path.relative_to(own)))


def secret_paths(settings: Settings) -> frozenset[Path]:
    """Return the files that the settings name as keys, passwords and tokens."""
    return frozenset(_named(settings.model_dump()))


def _named(value: Any) -> Iterator[Path]:
    if not isinstance(value, Mapping):
        return
    for name, inner in value.items():
        if name in NAMING and isinstance(inner, Path):
            yield inner
        else:
            yield from _named(inner)


def is_secret(found: Found, secrets: frozenset[Path], reading: int) -> bool:
    """Say whether a file, open as `reading`, is a private key or a credential."""
    below = Path(found.name)
    if CREDENTIALS in below.parts[:-1] or found.path in secrets or below.suffix in SUFFIXES:
        return True
    return PRIVATE in os.pread(reading, LARGEST, 0)
