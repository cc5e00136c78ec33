"""Minifies scripts and style sheets one by one; their licences stay, beside each file."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ohif_build.failure import BuildFailed

# Chromium, Edge and Firefox of 2022 and later; newer syntax passes through as it is.
TARGET = "es2022"


def minify(folder: Path, esbuild: Path, seconds: float) -> None:
    """Minify every script and style sheet of `folder` in place. Raises BuildFailed."""
    names = sorted(path.name for path in folder.iterdir() if path.suffix in (".js", ".css"))
    minified = folder / "minified"
    esbuild.chmod(0o755)
    command = [str(esbuild), *names, "--minify", "--legal-comments=linked", f"--target={TARGET}"]
    options = ["--charset=utf8", "--log-level=error", f"--outdir={minified}"]
    try:
        subprocess.run(
            [*command, *options], cwd=folder, check=True, timeout=seconds, capture_output=True, text=True,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise BuildFailed(f"esbuild took more than {seconds:.0f} s") from error
    except (subprocess.CalledProcessError, OSError) as error:
        reason = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise BuildFailed(f"esbuild failed: {reason[0] if reason else 'no reason given'}") from error
    missing = [name for name in names if not (minified / name).is_file()]
    if missing:
        raise BuildFailed(f"esbuild wrote no {missing[0]}")
    for path in minified.iterdir():
        path.replace(folder / path.name)
    minified.rmdir()
