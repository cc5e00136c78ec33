"""`python3 -m ohif_build [--link PATH] [--seconds N] [--optional]`: build once, say one line when it fails."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ohif_build.building import build, link
from ohif_build.failure import BuildFailed

SECONDS = 600.0


def main(arguments: list[str] | None = None) -> int:
    """Build and link; returns 0, or 1 with the reason on standard error (0 as well with --optional)."""
    parser = argparse.ArgumentParser(prog="ohif_build", description="Build the OHIF viewer into the user's cache.")
    parser.add_argument("--link", type=Path, help="where a symbolic link to the built folder goes")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="longest time it may take")
    parser.add_argument("--optional", action="store_true", help="a failure is said, and is none")
    options = parser.parse_args(arguments)
    try:
        folder = build(options.seconds, lambda text: print(text, flush=True))
        if options.link is not None:
            link(folder, options.link)
    except BuildFailed as error:
        print(f"No OHIF viewer: {error}.", file=sys.stderr)
        if options.optional:
            print("The built-in viewer serves; `make ohif` adds OHIF (needs Node, npm and their registry).")
        return 0 if options.optional else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
