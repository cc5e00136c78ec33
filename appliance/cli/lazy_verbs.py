"""Verbs that are loaded when they are typed: a room that runs for months holds no other verb's libraries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module

import click


class LazyVerbs(MutableMapping[str, click.Command]):
    """A group's commands by name, each imported when it is first looked up; further ones may be put beside them."""

    def __init__(self, places: Mapping[str, str]) -> None:
        """Take the places: name -> "module:command"."""
        self._places = dict(places)
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        """Return a command. Raises KeyError."""
        if name not in self._loaded:
            module, _, command = self._places[name].partition(":")
            self._loaded[name] = getattr(import_module(module), command)
        return self._loaded[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        """Put a command there that is loaded already."""
        self._places[name] = ""
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        """Take a command away. Raises KeyError."""
        del self._places[name]
        self._loaded.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        """Yield the names; nothing is loaded."""
        return iter(self._places)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._places)

    def __contains__(self, name: object) -> bool:
        """Say whether there is such a command; it is not loaded."""
        return name in self._places
