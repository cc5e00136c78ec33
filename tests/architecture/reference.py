"""The table of docs/configuration.md, made from the settings. `make reference` writes it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from appliance.config import Settings
from appliance.config.sinks import DEFAULT_KIND, ENTRIES, CommonEntry

Keys = Iterator[tuple[str, FieldInfo]]
KIND = "What it is; other keys depend on it. " + "; ".join(
    str(entry.model_fields["kind"].description).rstrip(".") for entry in ENTRIES.values()
)
BEGIN, END = "<!-- keys: made by `make reference` -->", "<!-- end of keys -->"


def keys(model: type[BaseModel] = Settings, path: str = "", above: frozenset[str] = frozenset()) -> Keys:
    """Every key by its dotted path; [] stands for each entry of a list, NAME where a name is free.

    Keys of one kind of sink alone have the kind behind them. `above` are names told already.
    """
    for name, field in model.model_fields.items():
        here = path + name
        inner = _model(field.annotation)
        is_section = field.annotation is inner
        if name in above:
            continue
        if inner is None:
            yield here, field
        elif is_section:
            yield from keys(inner, here + ".")
        elif issubclass(inner, CommonEntry):
            yield here, field
            yield from _kinds(here + ".NAME.")
        else:
            free = str(field.annotation).startswith("dict")
            yield here, field
            yield from keys(inner, here + (".NAME." if free else "[]."))


def _kinds(path: str) -> Keys:
    yield path + "kind", FieldInfo(default=DEFAULT_KIND, description=KIND)
    yield from keys(CommonEntry, path)
    common = frozenset(CommonEntry.model_fields) | {"kind"}
    for kind, entry in ENTRIES.items():
        yield from ((f"{key}` (`{kind}`)", field) for key, field in keys(entry, path, common))


def rows(model: type[BaseModel] = Settings) -> Iterator[str]:
    """The table's lines."""
    yield "| Key | Default | Meaning |"
    yield "|---|---|---|"
    for key, field in keys(model):
        code = f"`{key}" if key.endswith(")") else f"`{key}`"
        yield f"| {code} | {default(field)} | {field.description} |"


def default(field: FieldInfo) -> str:
    """The default as it would be written in the file."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value is PydanticUndefined:
        return "unset"
    return f"`{json.dumps(_plain(value))}`"


def written(text: str) -> str:
    """The document with its table made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([before + BEGIN, *rows(), END]) + after


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        kind = {"kind": value.kind} if hasattr(value, "kind") else {}
        return {**kind, **value.model_dump(mode="json", exclude_defaults=True)}
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return str(value) if isinstance(value, Path) else value


def _model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for argument in get_args(annotation) if (found := _model(argument))), None)


if __name__ == "__main__":
    document = Path(sys.argv[1])
    document.write_text(written(document.read_text(encoding="utf-8")), encoding="utf-8")
