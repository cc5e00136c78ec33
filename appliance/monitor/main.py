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
from appliance.monitor.lookout import Lookout
from appliance.monitor.mqtt import Broker, MqttLink
from appliance.monitor.reporter import Reporter
from appliance.monitor.standing import Standing
from appliance.monitor.topics import Topics

ROOM = "monitor"
STEP_SECONDS = 1.0
EXIT_STOPPED = 0


def main(settings: Settings) -> int:
    """Report until SIGTERM or SIGINT; returns the exit code.

    Raises ConfigurationError and SchemaMismatch before anything is reported.
    """
    logs.configure(settings.log.level, settings.log.format, ROOM)
    broker = _broker(settings, os.environ)
    stop = lifecycle.Stop()
    stop.install()
    archive = Archive.open(ArchiveSettings(**settings.archive_values()), ROOM)
    try:
        return _serve(settings, archive, broker, stop)
    finally:
        archive.close()
        stop.close()


def _serve(settings: Settings, archive: Archive, broker: Broker, stop: lifecycle.Stop) -> int:
    log, notices, clock = logs.get_logger(__name__), lifecycle.Notices(), SystemClock()
    runtime = settings.runtime_directory
    topics = Topics.of(settings.mqtt.topic_prefix, settings.site.id)
    standing = Standing(uuid.uuid4().hex, __version__, clock.now())
    link = MqttLink(broker, f"dicom-edge-{settings.site.id}", lambda: topics.status_message(standing.will()))
    lookout = _lookout(settings, archive, runtime, clock)
    reporter = Reporter(lookout.look, link, standing, topics, clock, settings.mqtt.health_seconds)
    link.start()
    notices.ready()
    log.info("monitor ready", host=broker.host, port=broker.port, topic=topics.status, boot_id=standing.boot_id)
    while True:
        reporter.step()
        _publish(runtime, link)
        notices.watchdog()
        if stop.wait(STEP_SECONDS):
            break
        link.start()
    notices.stopping()
    reporter.stop()
    lifecycle.withdraw(runtime, ROOM)
    log.info("monitor stopped")
    return EXIT_STOPPED


def _lookout(settings: Settings, archive: Archive, runtime: Path, clock: Clock) -> Lookout:
    files = certificate_files(settings, os.environ)
    return Lookout(archive.numbers, archive.outbox, archive.confirmations, runtime, files, clock)


def _broker(settings: Settings, environ: Mapping[str, str]) -> Broker:
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


def _publish(runtime: Path, link: MqttLink) -> None:
    numbers = {"state": "ready", "connected": link.connected, "connections": link.connections, "fault": link.fault}
    try:
        lifecycle.publish(runtime, ROOM, numbers)
    except OSError as error:
        logs.get_logger(__name__).warning("numbers not published", fault=type(error).__name__)
