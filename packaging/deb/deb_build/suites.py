"""The Debian releases that can be built for: what each one's Python is, and which wheels fit it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from deb_build.failure import BuildFailed

MIRROR: Final = "http://deb.debian.org/debian"
SECURITY: Final = "http://deb.debian.org/debian-security"
# No compiler: nothing is compiled. debhelper brings dpkg-dev and make.
TOOLS: Final = ("debhelper", "po-debconf", "python3", "zstd")
# Lintian reads what was built; the box's other tools are the host's.
ARCHITECTURES: Final = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True)
class Suite:
    """One release: `python` is its minor version, `glibc` the minor version of its C library (2.x).

    `suffix` goes behind the revision: each release has packages of its own, and the newer one's are newer.
    """

    name: str
    python: int
    glibc: int
    suffix: str = ""

    @property
    def interpreter(self) -> str:
        """The interpreter the virtual environment stands on."""
        return f"python3.{self.python}"

    @property
    def depends(self) -> str:
        """What the package depends on: this minor version of Python and no other."""
        return f"python3 (>= 3.{self.python}), python3 (<< 3.{self.python + 1})"

    @property
    def sources(self) -> tuple[str, ...]:
        """The lines of sources.list."""
        return (
            f"deb {MIRROR} {self.name} main",
            f"deb {MIRROR} {self.name}-updates main",
            f"deb {SECURITY} {self.name}-security main",
        )

    def tags(self, machine: str) -> tuple[tuple[str, str], ...]:
        """Return pip's options that say which wheels may be taken, best first (PEP 425, PEP 600)."""
        platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(self.glibc, 16, -1)]
        return (
            ("--python-version", f"3.{self.python}"),
            ("--implementation", "cp"),
            *(("--abi", abi) for abi in (f"cp3{self.python}", "abi3", "none")),
            *(("--platform", platform) for platform in (*platforms, f"manylinux2014_{machine}")),
        )


SUITES: Final = {suite.name: suite for suite in (Suite("bookworm", 11, 36), Suite("trixie", 13, 41, "+deb13"))}


def suite(name: str) -> Suite:
    """Return a release by its name. Raises BuildFailed."""
    if name not in SUITES:
        raise BuildFailed(f"{name} is no release this can be built for: {' or '.join(SUITES)}")
    return SUITES[name]


def machine(architecture: str) -> str:
    """Return what wheels call a Debian architecture. Raises BuildFailed."""
    if architecture not in ARCHITECTURES:
        raise BuildFailed(f"{architecture} is no architecture this can be built for: {' or '.join(ARCHITECTURES)}")
    return ARCHITECTURES[architecture]
