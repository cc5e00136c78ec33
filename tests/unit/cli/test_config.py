"""`config show`: every leaf by its dotted path, with its origin, secrets masked."""

from __future__ import annotations

import pytest

from appliance.cli.config import flat, origin, shown


def test_leaves_have_dotted_paths() -> None:
    tree = {"home": "/h", "scp": {"port": 1, "peers": [{"ae_title": "CT"}]}, "empty": {}, "hosts": ["a"]}
    assert dict(flat(tree)) == {
        "home": "/h",
        "scp.port": 1,
        "scp.peers.0.ae_title": "CT",
        "empty": {},
        "hosts": ["a"],
    }


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("scp.port", "file"),
        ("scp.peers.0.ae_title", "environment"),
        ("scp.host", "default"),
        ("home", "default"),
    ],
)
def test_a_value_has_its_own_origin_or_that_of_its_list(key: str, expected: str) -> None:
    assert origin(key, {"scp.port": "file", "scp.peers": "environment"}) == expected


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("sync.sinks.x.password", "geheim", "********"),
        ("a.token", "t", "********"),
        ("a.password_file", "/run/secret", "/run/secret"),
        ("a.password", None, None),
        ("scp.port", 1, 1),
    ],
)
def test_secrets_are_masked(key: str, value: object, expected: object) -> None:
    assert shown(key, value) == expected
