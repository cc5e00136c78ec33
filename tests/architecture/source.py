"""The repository as these tests read it: parsed modules and the text of every file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("appliance", "pki")
FOLDERS = (*PRODUCT, "docs", "packaging", "requirements", "systemd", "tests", ".ci")


@dataclass(frozen=True)
class Module:
    """One Python file; `name` is its path below the repository."""

    name: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed module."""
        return ast.parse(self.text, self.name)

    @cached_property
    def lines(self) -> list[str]:
        """Its lines; line 1 is lines[0]."""
        return self.text.splitlines()


def modules(*folders: str) -> list[Module]:
    """Every Python file below the folders."""
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [Module(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in found]


def texts() -> Iterator[tuple[str, str]]:
    """The name and text of every file that belongs to the project; binary ones are passed over."""
    inside = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    beside = [path for path in ROOT.iterdir() if path.is_file()]
    for path in sorted([*inside, *beside]):
        if "__pycache__" in path.parts:
            continue
        try:
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
