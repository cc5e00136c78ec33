"""Which files of the libraries are installed: not their tests, and nothing that only a compiler reads."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import Final

# Folders of tests, wherever they are in a library. The product itself has none.
TESTS: Final = frozenset({"tests", "test", "testdata", "test_files"})
# For type checkers, compilers and linkers.
ENDINGS: Final = (".pyi", ".pyx", ".pxd", ".h", ".hpp", ".c", ".cpp", ".a", ".lib", ".pyc", ".pyo")
# Parts of libraries that the product does not use, each looked at.
UNUSED: Final = (
    # Fortran wrappers, a build system's files, test tools.
    "numpy/f2py/*",
    "numpy/conftest.py",
    "numpy/_pyinstaller/*",
    # Programs of GDCM beside its library.
    "_gdcm/gdcm[a-z]*[!y]",
    # echoscu and the like as programs; the product has its own.
    "pynetdicom/apps/*",
    "pynetdicom/benchmarks/*",
    "kafka/benchmarks/*",
)


def kept(place: str) -> bool:
    """Whether a file (its path below site-packages) is installed."""
    path = PurePosixPath(place)
    if path.parts[0].endswith(".dist-info"):
        return True
    if TESTS.intersection(path.parts[:-1]) or path.name.endswith(ENDINGS):
        return False
    return not any(fnmatch(place, pattern) for pattern in UNUSED)
