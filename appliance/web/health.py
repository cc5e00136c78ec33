"""Health for service managers, load balancers and Prometheus. No patient data."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from appliance.errors import ArchiveError
from appliance.lifecycle import MONITOR, read_rooms
from appliance.web.answers import json_answer
from appliance.web.services import services


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
    """Answer 200 when the appliance does its work, 503 with the reasons when it does not."""
    reasons = list(_reasons())
    document = {"status": "not ready" if reasons else "ready", "reasons": reasons}
    return json_answer(document, 503 if reasons else 200)


def metrics() -> Response:
    """Answer every metric in Prometheus's text format."""
    return Response(generate_latest(services().metrics.registry), content_type=CONTENT_TYPE_LATEST)


def _reasons() -> Iterator[str]:
    tools = services()
    try:
        tools.archive.numbers.counts()
        disk = tools.archive.numbers.disk()
    except ArchiveError as error:
        yield f"the archive cannot be read: {error.message}"
        return
    if not disk.accepting:
        yield f"only {disk.free_bytes} bytes are free; new objects are refused below {disk.reserve_bytes}"
    for room, facts in read_rooms(tools.runtime).items():
        if not facts["alive"] and room != MONITOR:
            yield f"room {room} has been silent for {facts['age_seconds']:.0f} seconds"
