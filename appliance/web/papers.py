"""Objects that are read rather than looked at: PDF, structured reports, waveforms. Each kept in a cage of its own."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Final

from flask import Response

from appliance.archive.reading import StoredInstance
from appliance.codec.faults import CodecFault, Kind
from appliance.web.drawings import draw, drawing, etag_of, known_to_client
from appliance.web.resources import ROOT

PDF: Final = "application/pdf"
HTML: Final = "text/html"
SVG: Final = "image/svg+xml"

STYLE: Final = (
    "body{font:1rem/1.5 system-ui,sans-serif;margin:1.5rem auto;max-width:52rem;padding:0 1rem;color:#1b1b1b;"
    "background:#fff}h1{font-size:1.5rem}h2{font-size:1.2rem}h3,h4,h5,h6{font-size:1rem}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;border-bottom:1px solid #ccc;"
    "padding-bottom:1rem}dt{color:#555}dd{margin:0}p{margin:.3rem 0}p span,dd{white-space:pre-wrap;"
    "overflow-wrap:anywhere}b{font-weight:600;margin-right:.5em}div div{margin-left:1.5rem}"
    "section section{margin-left:.75rem}code{font-size:.85em;color:#555}em{color:#7a4b00}"
    "footer{margin-top:2rem;padding:.5rem 1rem;border-left:.3rem solid #b35c00;background:#fff6e8}"
)
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

# No script and nothing fetched. The origin stays ours, because a link that a person clicks must carry the session's
# SameSite cookie; without script nothing else can make use of it.
REPORT_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'self'; sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox"
)
SVG_POLICY: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox"
# A browser's own PDF viewer stands outside of this; the styles are those of the page it wraps the document in.
PDF_POLICY: Final = (
    "default-src 'none'; object-src 'self'; style-src 'unsafe-inline';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-downloads"
)
# Whatever else goes wrong with a report, its page opens and says so; a full queue is worth asking again.
_SAID_ON_THE_PAGE: Final = frozenset({Kind.REFUSED, Kind.TIMED_OUT, Kind.CRASHED, Kind.TOO_LARGE})


def pdf(instance: StoredInstance) -> Response:
    """Answer an Encapsulated PDF's document, to be shown by the browser."""
    answer = caged(drawing("document", instance, {}, PDF), PDF_POLICY)
    answer.headers["Content-Disposition"] = f'inline; filename="{instance.sop_uid}.pdf"'
    return answer


def waveform(instance: StoredInstance) -> Response:
    """Answer a recording as SVG."""
    return caged(drawing("waveform", instance, {}, SVG), SVG_POLICY)


def report(instance: StoredInstance) -> Response:
    """Answer a structured report as a page. One that cannot be read is a page too, which says what failed."""
    arguments = {"root": ROOT}
    etag = etag_of("report", instance.digest, arguments)
    known = known_to_client(etag)
    if known is not None:
        return caged(known, REPORT_POLICY)
    try:
        outcome = draw("report", instance, arguments)
    except CodecFault as fault:
        if fault.kind not in _SAID_ON_THE_PAGE:
            raise
        return caged(Response(page("Report", _apology(fault)), content_type=f"{HTML}; charset=utf-8"), REPORT_POLICY)
    fragment = outcome.data.decode("utf-8", "replace")
    text = page(str(outcome.facts.get("title", "Report")), fragment)
    answer = Response(text, content_type=f"{HTML}; charset=utf-8")
    answer.set_etag(etag)
    return caged(answer, REPORT_POLICY)


def page(title: str, fragment: str) -> str:
    """Return a whole HTML page."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body><main>{fragment}</main></body></html>"
    )


def _apology(fault: CodecFault) -> str:
    return (
        "<h1>Report</h1><footer><p>This report could not be read: "
        f"{escape(fault.message)}.</p><p>The object is stored as it was received and can be retrieved.</p></footer>"
    )


def caged(answer: Response, policy: str) -> Response:
    """Let our own pages frame this answer, and allow it nothing else."""
    answer.headers["Content-Security-Policy"] = policy
    answer.headers["X-Frame-Options"] = "SAMEORIGIN"
    return answer
