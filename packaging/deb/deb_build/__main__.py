"""`python3 -m deb_build [build|check]`: the Debian packages, and the proof that they are what they should be."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deb_build.building import Order, build
from deb_build.checking import check
from deb_build.failure import BuildFailed
from deb_build.judging import MEGABYTE
from deb_build.suites import ARCHITECTURES, SUITES

TREE = Path(__file__).resolve().parents[3]


def main(arguments: list[str] | None = None) -> int:
    """Build or check; returns 0, or 1 with the reason on standard error."""
    parser = argparse.ArgumentParser(prog="deb_build", description="Build the Debian packages.")
    parser.add_argument("what", choices=("build", "check"), nargs="?", default="build")
    parser.add_argument("--output", type=Path, default=TREE / "dist", help="where the packages go")
    parser.add_argument("--suite", choices=sorted(SUITES), default="bookworm")
    parser.add_argument("--architecture", choices=sorted(ARCHITECTURES), default="amd64")
    parser.add_argument("--revision", default="1", help="the Debian revision, after the version and a hyphen")
    parser.add_argument("--fresh", action="store_true", help="make the clean root anew")
    options = parser.parse_args(arguments)
    order = Order(options.suite, options.architecture, options.revision, options.fresh)
    try:
        if options.what == "check":
            check(TREE, options.output, order, say)
        else:
            for path in build(TREE, options.output, order, say):
                say(f"{path.stat().st_size / MEGABYTE:9.2f} MB  {path}")
    except BuildFailed as error:
        print(f"{'Not as it should be' if options.what == 'check' else 'No package'}: {error}", file=sys.stderr)
        return 1
    return 0


def say(text: str) -> None:
    """Say how far it is."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
