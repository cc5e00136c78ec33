"""Masking: values under the name of a secret, and what looks like one wherever it stands."""

from __future__ import annotations

import re
from typing import Any, Final

from appliance.config.problems import MASK, is_secret

# In a URL, user and password stand before the host.
_IN_URL: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s\"']+@", re.IGNORECASE)
_BEARER: Final = re.compile(r"\b(?P<word>bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
# Whatever it stands beside: our tokens, a set-up code, the hash of a password, a signed token, and what is long and
# random, such as a line of a key.
_BARE: Final = re.compile(
    r"\bdea_[A-Za-z0-9_-]+|\b(?:[0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}\b|\$argon2\w*\$\S+"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"
    r"|(?<![\w+/-])(?=[\w+/-]*[A-Z])(?=[\w+/-]*[a-z])(?=[\w+/-]*\d)[A-Za-z0-9+/_-]{40,}={0,2}"
)
_OPTION: Final = re.compile(r"(?P<name>--[\w-]*(?:password|passphrase|secret|token|code)\s+)\S+", re.IGNORECASE)
_PEM: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL)
_NAMED: Final = re.compile(
    r"(?P<name>[\w-]*(?:password|passphrase|passwd|pwd|secret|token|credential|api[_-]?key|private[_-]?key"
    r"|signature[_-]?key|authorization|cookie|session|signature|\bsig|set-?up[_ -]?code)s?"
    r"[\"']?\s*[=:]\s*)(?P<value>\"[^\"]*\"|'[^']*'|[^\s,;&]+)",
    re.IGNORECASE,
)
# With whatever else stands in that line.
_HEADER: Final = re.compile(r"(?P<name>\b(?:authorization|cookie)[\"']?\s*[:=]\s*).+", re.IGNORECASE)
_HEADERS: Final = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key", "api-key"})


def masked_text(text: str) -> str:
    """Return a line with what looks like a secret masked."""
    text = _PEM.sub(MASK, text)
    text = _IN_URL.sub(rf"\g<scheme>{MASK}@", text)
    text = _BEARER.sub(rf"\g<word> {MASK}", text)
    text = _HEADER.sub(rf"\g<name>{MASK}", text)
    text = _OPTION.sub(rf"\g<name>{MASK}", text)
    text = _NAMED.sub(rf"\g<name>{MASK}", text)
    return _BARE.sub(MASK, text)


def names_a_secret(key: str) -> bool:
    """Say whether a value under this key is never shown."""
    last = key.rpartition(".")[2]
    return is_secret(last) or last.lower() in _HEADERS


def masked(value: Any, key: str = "") -> Any:
    """Return plain JSON values with every secret masked."""
    if isinstance(value, dict):
        return {name: _of_key(inner, str(name)) for name, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner, key) for inner in value]
    return masked_text(value) if isinstance(value, str) else value


def _of_key(value: Any, key: str) -> Any:
    if not names_a_secret(key) or value is None or isinstance(value, bool):
        return masked(value, key)
    if isinstance(value, dict) and set(value) == {"value", "origin"}:  # as `appliance config show --json` has it
        return {**value, "value": MASK if value["value"] is not None else None}
    return MASK
