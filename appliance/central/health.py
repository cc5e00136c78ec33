"""Health of the receiver for service managers, load balancers and Prometheus. No patient data."""

from __future__ import annotations

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from appliance.central.answers import json_answer
from appliance.central.services import services
from appliance.errors import ArchiveError


def blueprint() -> Blueprint:
    """Return /healthz, /readyz and /metrics."""
    health = Blueprint("health", __name__)
    health.add_url_rule("/healthz", "alive", alive, methods=["GET"])
    health.add_url_rule("/readyz", "ready", ready, methods=["GET"])
    health.add_url_rule("/metrics", "metrics", metrics, methods=["GET"])
    return health


def alive() -> Response:
    """Answer 200 whenever this process can answer at all."""
    return json_answer({"status": "alive"})


def ready() -> Response:
    """Answer 200 when objects are taken, 503 with the reasons when they are not."""
    reasons = []
    try:
        services().archive.receipts.count()
        disk = services().archive.numbers.disk()
    except ArchiveError as error:
        reasons.append(f"the archive cannot be read: {error.message}")
    else:
        if not disk.accepting:
            text = f"only {disk.free_bytes} bytes are free; new objects are refused below {disk.reserve_bytes}"
            reasons.append(text)
    document = {"status": "not ready" if reasons else "ready", "reasons": reasons}
    return json_answer(document, 503 if reasons else 200)


def metrics() -> Response:
    """Answer every metric in Prometheus's text format."""
    return Response(generate_latest(services().metrics.registry), content_type=CONTENT_TYPE_LATEST)
