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

BEGIN, END = "<!-- keys: made by `make reference` -->", "<!-- end of keys -->"


def keys(model: type[BaseModel] = Settings, path: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key by its dotted path; [] stands for each entry of a list, NAME where a name is free."""
    for name, field in model.model_fields.items():
        here = path + name
        inner = _model(field.annotation)
        is_section = field.annotation is inner
        if inner is None:
            yield here, field
        elif is_section:
            yield from keys(inner, here + ".")
        else:
            free = str(field.annotation).startswith("dict")
            yield here, field
            yield from keys(inner, here + (".NAME." if free else "[]."))


def rows(model: type[BaseModel] = Settings) -> Iterator[str]:
    """The table's lines."""
    yield "| Key | Default | Meaning |"
    yield "|---|---|---|"
    for key, field in keys(model):
        yield f"| `{key}` | {default(field)} | {field.description} |"


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
        return value.model_dump(mode="json", exclude_none=True)
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
