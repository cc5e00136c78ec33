"""Root's commands act as the owner of the home."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.cli.owner import Identity, acting_as_caller, acting_for, become_owner

NOBODY = 65534
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody else")


@pytest.fixture
def home() -> Iterator[Path]:
    """A home of nobody's, in a folder that everybody may enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o711)
    made = folder / "home"
    made.mkdir(mode=0o700)
    os.chown(made, NOBODY, NOBODY)
    yield made
    shutil.rmtree(folder)


def in_a_child(work: Callable[[], None]) -> None:
    """Do `work` in a process of its own, which must end well."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def owner(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid


def test_files_made_meanwhile_are_the_owners_and_roots_are_roots_again(home: Path) -> None:
    def work() -> None:
        before = Identity.of_now()
        with acting_for(home):
            (home / "index").touch()
            with acting_as_caller():
                (home.parent / "export").touch()
            (home / "later").touch()
        assert Identity.of_now() == before

    in_a_child(work)
    assert owner(home / "index") == owner(home / "later") == (NOBODY, NOBODY)
    assert owner(home.parent / "export") == (0, 0)


def test_an_error_gives_root_back(home: Path) -> None:
    def work() -> None:
        with pytest.raises(ZeroDivisionError), acting_for(home):
            _ = 1 // 0
        assert os.geteuid() == 0

    in_a_child(work)


def test_nothing_changes_for_a_home_of_roots_or_one_that_is_missing(home: Path) -> None:
    os.chown(home, 0, 0)
    before = Identity.of_now()
    for place in (home, home / "missing"):
        with acting_for(place):
            assert Identity.of_now() == before
        become_owner(place)
        assert Identity.of_now() == before


def test_a_room_is_its_homes_owner_for_good(home: Path) -> None:
    def work() -> None:
        os.setgroups([0, 4])
        become_owner(home)
        assert os.getresuid() == (NOBODY,) * 3
        assert os.getresgid() == (NOBODY,) * 3
        assert not {0, 4} & set(os.getgroups())
        with pytest.raises(PermissionError):
            os.seteuid(0)

    in_a_child(work)
