"""Which files of the published viewer are kept."""

from __future__ import annotations

from typing import Final

ROOT: Final = "dist/"
# Runtimes for in-browser AI, slide microscopy, logins of other services, service workers, other hosts' settings.
DROPPED_FOLDERS: Final = ("ort/", "dicom-microscopy-viewer/", "customizations/")
DROPPED_FILES: Final = frozenset((
    "sw.js", "google.js", "oidc-client.min.js", "silent-refresh.html", "_headers", "_redirects", "serve.json",
    "app-config.js", "init-service-worker.js",
))  # fmt: skip
DROPPED_ENDINGS: Final = (".map",)


def kept(name: str) -> str:
    """Return where a file of the package goes, "" for nowhere: the licence and the useful part of `dist`."""
    if name == "LICENSE":
        return "LICENSE.txt"
    inside = name.removeprefix(ROOT)
    if inside == name or inside in DROPPED_FILES:
        return ""
    return "" if inside.startswith(DROPPED_FOLDERS) or inside.endswith(DROPPED_ENDINGS) else inside
