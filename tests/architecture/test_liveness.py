"""The watchdog is fed in one place, which looks at every part first; and every room uses it."""

from __future__ import annotations

import ast

from tests.architecture.source import ROOT

PRODUCT = ROOT / "appliance"
FEEDS = {
    "central/loader_main.py", "central/receiver_main.py", "cli/codec.py", "monitor/main.py", "scp/main.py",
    "sync/main.py", "web/main.py",
}  # fmt: skip


def test_no_room_feeds_the_watchdog_while_a_part_is_stuck() -> None:
    fed, called = set(), set()
    for path in sorted(PRODUCT.rglob("*.py")):
        name = str(path.relative_to(PRODUCT))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if node.func.attr == "watchdog":
                    called.add(name)
                elif node.func.attr == "feed" and any(ast.unparse(one) == "notices.watchdog" for one in node.args):
                    fed.add(name)
    assert called == set()
    assert fed == FEEDS
