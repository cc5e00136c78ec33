"""The certificate files a configuration names, so that somebody watches their last day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from appliance.config.credentials import credential
from appliance.config.settings import Settings
from appliance.errors import ConfigurationError

KEYS = ("tls_certificate", "tls_ca", "tls_crl")


def certificate_files(settings: Settings, environ: Mapping[str, str]) -> dict[str, Path]:
    """Return every certificate file by the dotted path of its key (`scp.tls_certificate`), wherever it stands.

    A credential that systemd did not hand to this process is left out.
    """
    found = {}
    for key, path in _named(settings, ""):
        try:
            place = credential(path, environ, key)
        except ConfigurationError:
            continue
        if place is not None:
            found[key] = place
    return found


def _named(value: Any, path: str) -> Iterator[tuple[str, Path]]:
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if not isinstance(value, dict):
        return
    for name, inner in value.items():
        here = f"{path}.{name}" if path else str(name)
        if name in KEYS and isinstance(inner, Path):
            yield here, inner
        else:
            yield from _named(inner, here)
