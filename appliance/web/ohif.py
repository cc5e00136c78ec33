"""OHIF below /ohif: the viewer's page for a study, its files, and what each of them is allowed to do."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from flask import Blueprint, Response, redirect, request, url_for

from appliance.dicomweb.problems import Problem
from appliance.model.uid import is_valid_uid
from appliance.web.answers import Refused
from appliance.web.ohif_files import PAGE, Viewer
from appliance.web.services import services
from appliance.web.unreadable_reports import has_unreadable_report

CONFIGURATION: Final = Path(__file__).parent / "static" / "ohif" / "app-config.js"
# Names of other content are other URLs, because the build is part of them.
FOR_EVER: Final = "public, max-age=31536000, immutable"
ASK_EACH_TIME: Final = "no-cache"
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' {hashes}; worker-src 'self';"
    " style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self';"
    " manifest-src 'self'; object-src 'self'; frame-src 'self'; frame-ancestors 'self'; base-uri 'none';"
    " form-action 'none'"
)
# The JPEG 2000 and JPEG-LS codecs make functions from text. They do it here, away from the page.
WORKER_POLICY: Final = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'unsafe-eval'; connect-src 'self'"
MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webapp": "application/manifest+json",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
}
OTHER_TYPE: Final = "application/octet-stream"
# The viewer takes its studies from this parameter, repeated or with commas.
STUDIES: Final = "StudyInstanceUIDs"


def blueprint() -> Blueprint:
    """Return the viewer; without a build it has the way to the study list and nothing else."""
    ohif = Blueprint("ohif", __name__)
    ohif.add_url_rule("/ohif/", "home", lambda: redirect(url_for("pages.studies"), 303), methods=["GET"])
    ohif.add_url_rule("/ohif/viewer", "viewer", viewer_page, methods=["GET"])
    ohif.add_url_rule("/ohif/app-config.js", "configuration", configuration, methods=["GET"])
    ohif.add_url_rule("/ohif/<build>/<path:name>", "file", built_file, methods=["GET"])
    return ohif


def viewer_page() -> Response:
    """Answer OHIF's page: 200, 304; 303 to the fallback for a study OHIF would not open, and without a build."""
    asked = [uid for text in request.args.getlist(STUDIES) for uid in text.split(",") if is_valid_uid(uid)]
    tools = services()
    if asked and (tools.ohif is None or any(has_unreadable_report(uid) for uid in asked)):
        return _away(f"/viewer/{asked[0]}")
    viewer = _installed()
    answer = _file(viewer, PAGE, ASK_EACH_TIME)
    hashes = " ".join(f"'{source}'" for source in viewer.script_hashes)
    answer.headers["Content-Security-Policy"] = PAGE_POLICY.format(hashes=hashes)
    answer.headers["X-Frame-Options"] = "SAMEORIGIN"
    return answer


def configuration() -> Response:
    """Answer OHIF's configuration, which belongs to the appliance and not to the build: 200, 304."""
    answer = Response(CONFIGURATION.read_bytes(), content_type=MEDIA_TYPES[".js"])
    answer.headers["Cache-Control"] = ASK_EACH_TIME
    answer.add_etag()
    answer.make_conditional(request)
    return answer


def built_file(build: str, name: str) -> Response:
    """Answer a file of the build: 200, 304; 404 for another build and for what the list does not hold."""
    viewer = _installed()
    if build != viewer.build:
        raise Refused(Problem(404, "this is another version of the viewer", "reload the page"))
    answer = _file(viewer, name, FOR_EVER)
    if name == viewer.decode_worker:
        answer.headers["Content-Security-Policy"] = WORKER_POLICY
    return answer


def _away(place: str) -> Response:
    answer = Response(status=303)
    answer.headers["Location"] = place
    return answer


def _installed() -> Viewer:
    viewer = services().ohif
    if viewer is None:
        raise Refused(Problem(404, "OHIF is not installed here", "run `make ohif` and start the web room again"))
    return viewer


def _file(viewer: Viewer, name: str, cache: str) -> Response:
    file = viewer.files.get(name)
    if file is None:
        raise Refused(Problem(404, "the viewer has no such file"))
    packed = file.gzip and request.accept_encodings["gzip"] > 0
    path = viewer.folder / (f"{name}.gz" if packed else name)
    answer = Response(content_type=MEDIA_TYPES.get(path.with_name(name.rpartition("/")[2]).suffix, OTHER_TYPE))
    answer.headers["Cache-Control"] = cache
    answer.headers["Vary"] = "Accept-Encoding"
    etag = file.sha256[:32] + ("-gzip" if packed else "")
    answer.set_etag(etag)
    if etag in request.if_none_match:
        answer.status_code = 304
        return answer
    if packed:
        answer.headers["Content-Encoding"] = "gzip"
    try:
        answer.set_data(path.read_bytes())
    except OSError:
        raise Refused(Problem(404, "this part of the viewer is gone", "run `make ohif`")) from None
    return answer
