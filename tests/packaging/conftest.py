"""The package that `make deb` built, and machines to install it on. Root, mmdebstrap and systemd-nspawn are needed."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from deb_build.suites import SUITES

from appliance import __version__
from tests.partners import debian
from tests.partners.installed_box import InstalledBox
from tests.partners.machine import Machine

DIST = Path(__file__).resolve().parents[2] / "dist"
_numbers = itertools.count()


HERE = Path(__file__).parent
# apt unpacks, machines boot: on two cores with something else beside it.
SECONDS = 600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here needs the packages and root: `make test-deb` runs them."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("deb")
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(SECONDS))


def built(name: str) -> Path:
    """Return a package of this version; fails with what to do when there is none."""
    revision = f"{__version__}-1{SUITES[debian.SUITE].suffix}"
    found = next(DIST.glob(f"{name}_{revision}_*.deb"), None)
    assert found is not None, f"{DIST} has no {name} {revision}: run `make deb SUITE={debian.SUITE}` first"
    return found


@pytest.fixture(scope="session")
def package() -> Path:
    """The box's package."""
    return built("dicom-edge-appliance")


@pytest.fixture(scope="session")
def central_package() -> Path:
    """The centre's package."""
    return built("dicom-edge-central")


@pytest.fixture(scope="session")
def bare(package: Path) -> Path:
    """A bare Debian that has everything the package depends on in apt's cache."""
    return debian.bare(package)


@pytest.fixture(scope="module")
def new_box(bare: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], InstalledBox]]:
    """`new_box()` is a fresh machine, switched on, with nothing of ours; all of them go after the module's tests."""
    with ExitStack() as machines:

        def made() -> InstalledBox:
            name = f"box{os.getpid()}-{next(_numbers)}"
            root = debian.unpacked(bare, tmp_path_factory.mktemp("machine") / name)
            machine = machines.enter_context(Machine(root, name))
            machine.boot()
            return InstalledBox(machine)

        yield made
