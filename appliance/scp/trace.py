"""Trace context of an association (W3C traceparent)."""

from __future__ import annotations

import secrets


def new_traceparent() -> str:
    """A fresh traceparent: version 00, random trace and span IDs, sampled."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
