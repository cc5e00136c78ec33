"""The locks: complete, hashed, free of host names, and without a package under the GPL."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

LOCKS = ("build", "runtime", "test")
REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)", re.MULTILINE)
GPL = re.compile(r"\b(A?GPL|GNU (Affero )?General Public)", re.IGNORECASE)


def lock(name: str) -> Path:
    """The path of a lock."""
    return ROOT / "requirements" / f"{name}.txt"


def pinned(text: str) -> dict[str, str]:
    """The lock's packages: name to version."""
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE))


def licence(found: Distribution) -> str:
    """All that a distribution's metadata says of its licence."""
    fields = [found.metadata.get_all(field, []) for field in ("License-Expression", "License", "Classifier")]
    expressions, texts, classifiers = fields
    named = [line for line in classifiers or [] if "License ::" in line]
    return "\n".join([*(expressions or []), *(text[:200] for text in texts or []), *named])


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_pinned_by_hash_and_no_host_is_named(name: str) -> None:
    text = lock(name).read_text(encoding="utf-8")
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert entries
    assert not [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry or "==" not in entry]
    assert "//" not in text
    assert not re.search(r"index-url|find-links|trusted-host", text)


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_in_its_lock(name: str) -> None:
    wanted = REQUIREMENT.findall(lock(name).with_suffix(".in").read_text(encoding="utf-8"))
    locked = pinned(lock(name).read_text(encoding="utf-8"))
    assert not [package for package in wanted if package not in locked and package != "-r"]


def test_the_tests_run_what_is_delivered() -> None:
    runtime, test = (pinned(lock(name).read_text(encoding="utf-8")) for name in ("runtime", "test"))
    differing = {name for name in runtime if runtime[name] != test.get(name)}
    assert differing <= {"pip"}  # sqlite-utils asks for it; nothing is run with it


def test_nothing_that_is_delivered_is_under_the_gpl() -> None:
    names = set(pinned(lock("runtime").read_text(encoding="utf-8"))) - {"pip"}
    licences = {name: licence(distribution(name)) for name in names}
    assert not {name: text for name, text in licences.items() if GPL.search(text)}


def test_a_licence_under_the_gpl_is_noticed() -> None:
    for text in ("GPL-3.0-or-later", "License :: OSI Approved :: GNU General Public License v3 (GPLv3)"):
        assert GPL.search(text)
