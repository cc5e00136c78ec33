"""The house rules for code, over the whole product."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.architecture import rules
from tests.architecture.source import PRODUCT, Module, modules, texts

Rule = Callable[[Module], Iterator[str]]


def breaches(rule: Rule, *folders: str) -> list[str]:
    """Every breach of a rule below the folders; there must be something to look at."""
    found = modules(*folders)
    assert found
    return [breach for module in found for breach in rule(module)]


@pytest.mark.parametrize("rule", [rules.too_long, rules.undocumented, rules.unexplained_broad_excepts])
def test_the_product_keeps_the_rule(rule: Rule) -> None:
    assert not breaches(rule, *PRODUCT)


def test_no_test_sleeps() -> None:
    assert not breaches(rules.sleeps, "tests")


def test_nothing_is_left_unfinished_or_points_outside_the_repository() -> None:
    assert not [breach for name, text in texts() for breach in rules.forbidden_words(name, text)]


LONG_FUNCTION = "def long():\n" + "    pass\n" * 40


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (rules.too_long, "x = 1\n" * 401),
        (rules.too_long, LONG_FUNCTION),
        (
            rules.too_long,
            "class C:\n" + LONG_FUNCTION.replace("def", "  def").replace("    pass", "      pass"),
        ),
        (rules.undocumented, "x = 1\n"),
        (rules.undocumented, '"""M."""\ndef public(): ...\n'),
        (rules.undocumented, '"""M."""\nclass Public: ...\n'),
        (rules.undocumented, '"""M."""\nclass P:\n  """P."""\n  def public(self): ...\n'),
        (rules.unexplained_broad_excepts, "try: ...\nexcept Exception: ...\n"),
        (rules.unexplained_broad_excepts, "try: ...\nexcept (OSError, BaseException) as e: ...\n"),
        (rules.unexplained_broad_excepts, "try: ...\nexcept: ...\n"),
        (rules.unexplained_broad_excepts, "try: ...\nexcept Exception: ...  # boundary:\n"),
        (rules.unexplained_broad_excepts, "try: ...\nexcept Exception:\n  if x: return\n  raise\n"),
        (rules.unexplained_broad_excepts, "try: ...\nexcept Exception:\n  raise ValueError\n"),
        (rules.sleeps, "import time\ntime.sleep(1)\n"),
        (rules.sleeps, "from time import sleep as nap\n"),
    ],
)
def test_the_rule_notices_a_breach(rule: Rule, text: str) -> None:
    assert len(list(rule(Module("breach.py", text)))) == 1


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (rules.too_long, "def short():\n" + "    pass\n" * 39),
        (rules.undocumented, '"""M."""\ndef _private(): ...\nclass _P:\n  def public(self): ...\n'),
        (rules.unexplained_broad_excepts, "try: ...\nexcept Exception: ...  # boundary: the loop goes on\n"),
        (rules.unexplained_broad_excepts, "try: ...\nexcept OSError: ...\n"),
        (rules.unexplained_broad_excepts, "try: ...\nexcept BaseException:\n  x.close()\n  raise\n"),
        (rules.sleeps, "event.wait(1)\n"),
    ],
)
def test_the_rule_lets_pass_what_is_right(rule: Rule, text: str) -> None:
    assert not list(rule(Module("right.py", text)))


def test_unfinished_work_is_noticed() -> None:
    assert list(rules.forbidden_words("a.md", "one\n# TO" + "DO later\n")) == ["a.md:2 says TO" + "DO"]
