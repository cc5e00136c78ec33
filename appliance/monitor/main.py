"""The monitor room: wires the lookout to the broker, reports until told to stop."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from pathlib import Path

from appliance import __version__, lifecycle, logs
from appliance.archive.room import Archive
from appliance.archive.settings import ArchiveSettings
from appliance.clock import Clock, SystemClock
from appliance.config import Settings, certificate_files, credential
from appliance.errors import ConfigurationError
from appliance.liveness import Liveness
from appliance.monitor.lookout import Lookout
from appliance.monitor.mqtt import Broker, MqttLink
from appliance.monitor.reporter import Reporter
from appliance.monitor.standing import Standing
from appliance.monitor.topics import Topics

ROOM = "monitor"
STEP_SECONDS = 1.0
# One look at the archive and one report; the room's main loop itself does both, so that a hung look feeds no watchdog.
STEP_LIMIT_SECONDS = 30.0
EXIT_STOPPED = 0


def main(settings: Settings) -> int:
    """Report until SIGTERM or SIGINT; returns the exit code.

    Raises ConfigurationError and SchemaMismatch before anything is reported.
    """
    logs.configure(settings.log.level, settings.log.format, ROOM)
    notices = lifecycle.Notices()
    if notices.heard and not settings.mqtt.host:
        return _nobody_to_tell(notices)
    broker = broker_of(settings, os.environ)
    stop = lifecycle.Stop()
    stop.install()
    try:
        notices.opening()
        archive = Archive.open(ArchiveSettings(**settings.archive_values()), ROOM)
        try:
            return _serve(settings, archive, broker, stop, notices)
        finally:
            archive.close()
    finally:
        notices.close()
        stop.close()


def _nobody_to_tell(notices: lifecycle.Notices) -> int:
    """End in order: the unit is part of every box, a broker is not."""
    logs.get_logger(__name__).info("no broker is configured: nothing to do", hint="set mqtt.host to report to one")
    notices.status("mqtt.host is not set: there is nobody to report to")
    notices.ready()
    notices.close()
    return EXIT_STOPPED


def _serve(
    settings: Settings, archive: Archive, broker: Broker, stop: lifecycle.Stop, notices: lifecycle.Notices
) -> int:
    log, clock, liveness = logs.get_logger(__name__), SystemClock(), Liveness()
    runtime = settings.runtime_directory
    topics = Topics.of(settings.mqtt.topic_prefix, settings.site.id)
    standing = Standing(uuid.uuid4().hex, __version__, clock.now())
    link = MqttLink(broker, f"dicom-edge-{settings.site.id}", lambda: topics.status_message(standing.will()))
    lookout = _lookout(settings, archive, runtime, clock)
    reporter = Reporter(lookout.look, link, standing, topics, clock, settings.mqtt.health_seconds)
    link.start()
    reporting = liveness.part("reporter", STEP_LIMIT_SECONDS)
    notices.status(f"reporting to {broker.host}")
    notices.ready()
    log.info("monitor ready", host=broker.host, port=broker.port, topic=topics.status, boot_id=standing.boot_id)
    while True:
        reporter.step()
        reporting.beat()
        _publish(runtime, link, liveness)
        liveness.feed(notices.watchdog)
        if stop.wait(STEP_SECONDS):
            break
        link.start()
    notices.draining(STEP_LIMIT_SECONDS)
    reporter.stop()
    lifecycle.withdraw(runtime, ROOM)
    log.info("monitor stopped")
    return EXIT_STOPPED


def _lookout(settings: Settings, archive: Archive, runtime: Path, clock: Clock) -> Lookout:
    files = certificate_files(settings, os.environ)
    return Lookout(archive.numbers, archive.outbox, archive.confirmations, runtime, files, clock, settings.home)


def broker_of(settings: Settings, environ: Mapping[str, str]) -> Broker:
    """Return the broker that the settings name, its files as `environ` has them. Raises ConfigurationError."""
    mqtt = settings.mqtt
    if not mqtt.host:
        raise ConfigurationError(
            "mqtt.host is not set: there is nobody to report to", hint="set mqtt.host, or do not start the monitor"
        )
    files = {
        name: credential(getattr(mqtt, name), environ, f"mqtt.{name}")
        for name in ("tls_ca", "tls_certificate", "tls_key", "password_file")
    }
    return Broker(mqtt.host, mqtt.port, mqtt.keepalive, mqtt.will_delay, username=mqtt.username, **files)


def _publish(runtime: Path, link: MqttLink, liveness: Liveness) -> None:
    numbers = {"state": "ready", "connected": link.connected, "connections": link.connections, "fault": link.fault}
    numbers |= liveness.snapshot()
    try:
        lifecycle.publish(runtime, ROOM, numbers)
    except OSError as error:
        logs.get_logger(__name__).warning("numbers not published", fault=type(error).__name__)
