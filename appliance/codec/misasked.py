"""A wish that does not fit the object: the fault is the request's, and the object stays innocent."""

from __future__ import annotations


class Misasked(Exception):
    """The object can be drawn, but not as asked; the message is a plain sentence without patient data."""
