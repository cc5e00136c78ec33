"""`python -m papers sbom | copyright | man | completion | all`: write the papers, say one line when one cannot be."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from papers import completion, copyright, man, sbom, viewer, wheels
from papers.failure import PapersFailed
from papers.lock import read as read_lock
from papers.moment import built_at
from papers.part import Part
from papers.product import product

Step = Callable[[argparse.Namespace], None]


def main(arguments: list[str] | None = None) -> int:
    """Write what was asked for; returns 0, or 1 with the reason on standard error."""
    options = _parser().parse_args(arguments)
    try:
        STEPS[options.what](options)
    except PapersFailed as error:
        print(f"papers: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="papers", description="The papers of the Debian package.")
    verbs = parser.add_subparsers(dest="what", required=True)
    for name, step in STEPS.items():
        verb = verbs.add_parser(name, help=(step.__doc__ or "").partition("\n")[0])
        if name in ("sbom", "copyright", "all"):
            verb.add_argument("--site-packages", type=Path, required=True, help="where the wheels are installed")
            verb.add_argument("--ohif", type=Path, help="the built viewer; without it, it is not listed")
            verb.add_argument("--lock", type=Path, required=True, help="requirements/runtime.txt")
            verb.add_argument("--ohif-lock", type=Path, help="packaging/ohif/lock.json")
        verb.add_argument("--out", type=Path, required=True, help="folder the papers go to")
    return parser


def _bundled(options: argparse.Namespace) -> tuple[tuple[Part, ...], Part | None]:
    shown = viewer.read(options.ohif, options.ohif_lock) if options.ohif and options.ohif_lock else None
    return wheels.read(options.site_packages, read_lock(options.lock)), shown


def write_sbom(options: argparse.Namespace) -> None:
    """Write OUT/sbom.cdx.json."""
    bundled, shown = _bundled(options)
    parts = (*bundled, *((shown,) if shown else ()))
    _write(options.out / "sbom.cdx.json", sbom.document(product(), parts, built_at(os.environ)))


def write_copyright(options: argparse.Namespace) -> None:
    """Write OUT/copyright."""
    _write(options.out / "copyright", copyright.document(product(), *_bundled(options)))


def write_man(options: argparse.Namespace) -> None:
    """Write the manual pages to OUT/man."""
    for name, page in man.pages(built_at(os.environ)).items():
        _write(options.out / "man" / name, page)


def write_completion(options: argparse.Namespace) -> None:
    """Write the completions for bash to OUT/completion."""
    for name, script in completion.scripts().items():
        _write(options.out / "completion" / name, script)


def write_all(options: argparse.Namespace) -> None:
    """Write everything."""
    for name, step in STEPS.items():
        if name != "all":
            step(options)


STEPS: Mapping[str, Step] = {
    "sbom": write_sbom,
    "copyright": write_copyright,
    "man": write_man,
    "completion": write_completion,
    "all": write_all,
}


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
