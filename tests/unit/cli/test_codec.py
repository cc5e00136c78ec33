"""`appliance codec`: which socket it serves, and what it says when there is none."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from appliance.cli.codec import own_path, the_one
from appliance.config import load
from appliance.errors import ConfigurationError


def test_without_a_socket_it_says_which_key_is_missing(tmp_path: Path) -> None:
    settings = load(None, {"APPLIANCE__HOME": str(tmp_path)}).settings
    with pytest.raises(ConfigurationError, match=r"codec\.socket"):
        own_path(settings)


def test_its_socket_is_told_by_its_name_and_others_are_closed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as mine, socket.socket(socket.AF_INET) as other:
        assert the_one({"codec": [mine], "web": [other]}) is mine
        assert other.fileno() == -1


def test_a_socket_of_another_kind_or_name_is_refused() -> None:
    for name, family in (("codec", socket.AF_INET), ("web", socket.AF_UNIX)):
        with socket.socket(family) as wrong:
            with pytest.raises(ConfigurationError):
                the_one({name: [wrong]})
            assert wrong.fileno() == -1


def test_a_path_that_no_socket_can_have_is_refused(tmp_path: Path) -> None:
    path = "/" + "x" * 107
    with pytest.raises(ConfigurationError, match=r"codec\.socket"):
        load(None, {"APPLIANCE__HOME": str(tmp_path), "APPLIANCE__CODEC__SOCKET": path})
