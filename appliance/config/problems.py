"""What is wrong with a configuration, in words that name the key, the value and the mend."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from appliance.config.settings import Settings
from appliance.config.sinks import ENTRIES
from appliance.errors import ConfigurationError

HINT = "Mend it and run `appliance config check`; docs/configuration.md lists every key."
MASK = "********"

PLAIN = {
    "tuple_type": 'this must be a list; a variable holds it as JSON, such as ["a", "b"]',
    "dict_type": "this must be a table of keys",
    "model_type": "this must be a table of keys",
    "int_parsing": "this must be a whole number",
    "float_parsing": "this must be a number",
    "bool_parsing": "this must be true or false",
    "missing": "this key is missing",
}

_SECRET = re.compile(r"(password|passphrase|secret|token|credential)s?$", re.IGNORECASE)
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: the key's dotted path, its value as it may be shown, where it stands, what is wrong."""

    key: str
    value: str
    origin: str
    wrong: str

    @classmethod
    def unknown(cls, path: tuple[str, ...], value: Any, origin: str, kind: str = "") -> Problem:
        """Return the mistake of a key that does not exist, with the nearest one that does.

        `kind` is that of the sink the key was written for, "" elsewhere.
        """
        near = difflib.get_close_matches(path[-1], known_names(path[:-1], kind), n=1)
        mend = f"did you mean {'.'.join((*path[:-1], near[0]))}?" if near else "remove it"
        of_kind = f" of a {kind} sink" if kind else ""
        return cls(".".join(path), shown(path[-1], value), origin, f"there is no such key{of_kind}; {mend}")

    def __str__(self) -> str:
        """Return one line."""
        where = f" ({self.origin})" if self.origin else ""
        return f"{self.key} = {self.value}{where}: {self.wrong}"


class Mistaken(ConfigurationError):
    """A configuration with `problems`, at least one; the message names them all."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        lines = "".join(f"\n  {problem}" for problem in problems)
        several = f"the configuration has {len(problems)} mistakes:{lines}"
        super().__init__(several if len(problems) > 1 else str(problems[0]), hint=HINT)
        self.problems = tuple(problems)


def problems_of(error: ValidationError, origins: Mapping[str, str]) -> list[Problem]:
    """Translate what pydantic found; `origins` is by dotted path."""
    found = []
    for detail in error.errors(include_url=False, include_context=False):
        path, kind = _without_kind(tuple(str(part) for part in detail["loc"] if part != "[key]"))
        value, origin = detail["input"], _origin(path, origins)
        if detail["type"] == "union_tag_invalid":
            found.append(_unknown_kind(path, value, origins))
        elif detail["type"] == "extra_forbidden":
            found.append(Problem.unknown(path, value, origin, kind))
        else:
            wrong = PLAIN.get(detail["type"]) or _plain(detail["msg"])
            found.append(Problem(".".join(path), shown(path[-1], value), origin, wrong))
    return found


def _without_kind(path: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Return the path as it is written, and the kind of sink pydantic puts into it (sync.sinks.NAME.KIND...)."""
    if path[:2] == ("sync", "sinks") and len(path) > 3 and path[3] in ENTRIES:
        return path[:3] + path[4:], path[3]
    return path, ""


def _unknown_kind(path: tuple[str, ...], entry: Any, origins: Mapping[str, str]) -> Problem:
    here = (*path, "kind")
    wrong = f"there is no such kind of sink; use one of {', '.join(ENTRIES)}"
    return Problem(".".join(here), shown("kind", entry.get("kind")), _origin(here, origins), wrong)


def is_secret(name: str) -> bool:
    """Say whether values under this name are never shown; `..._file` names are, their content is not."""
    return bool(_SECRET.search(name))


def shown(name: str, value: Any) -> str:
    """Return the value as it may appear in a message: masked, and cut where it is long."""
    if is_secret(name):
        return MASK
    if isinstance(value, BaseModel | dict):
        return "{...}"
    text = repr(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def known_names(path: Sequence[str], kind: str = "") -> list[str]:
    """Return the keys of the table at `path`; none where keys are free or the path is not known.

    `kind` chooses among the kinds of sinks.
    """
    model: type[BaseModel] | None = Settings
    for name in path:
        if model is None:
            return []
        field = model.model_fields.get(name)
        if field is not None:
            model = next(_models(field.annotation), None)
        elif not name.isdigit() and model is Settings:
            return []
        elif model in ENTRIES.values():
            model = ENTRIES.get(kind)
    return list(model.model_fields) if model else []


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _origin(path: tuple[str, ...], origins: Mapping[str, str]) -> str:
    for length in range(len(path), 0, -1):
        origin = origins.get(".".join(path[:length]))
        if origin:
            return origin
    return ""


def _plain(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
