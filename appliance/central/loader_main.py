"""The loader's program: wires topics, databases and registry from the settings, loads until told to stop."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from appliance import lifecycle, logs
from appliance.central.admission import Admission
from appliance.central.batches import Bounds
from appliance.central.consuming import KafkaStream, Membership
from appliance.central.dead_letters import KafkaGraves
from appliance.central.doris import DorisTarget
from appliance.central.doris_load import DorisOptions
from appliance.central.loader import Loader, Places, Route, Rules
from appliance.central.loader_metrics import MetricsDoor
from appliance.central.loader_numbers import LoaderNumbers
from appliance.central.postgres import PostgresTarget
from appliance.central.postgres_link import PostgresSettings
from appliance.central.receipts_writer import PostgresReceipts
from appliance.central.registry import Registry
from appliance.central.standing import Backoff
from appliance.central.tables import TABLES
from appliance.central.targets import Kind, Target
from appliance.clock import SystemClock
from appliance.config import Settings
from appliance.kafka_connection.settings import Cluster
from appliance.kafka_connection.topics import TOPIC_NAMES
from appliance.liveness import Attentive, Liveness, Wish

ROOM = "loader"
POLL_SECONDS = 0.5
PUBLISH_SECONDS = 1.0
MEASURE_SECONDS = 10.0
# A batch in hand gets so long after the wish to stop; what is not committed then comes again.
DRAIN_SECONDS = 30.0
LOADING = "loading"
# Between two signs of life the loading thread does one load, whose own limits end it: at most so many statements with
# PostgreSQL, so many tries with Doris, and never less than this.
PIECE_SECONDS = 300.0
STATEMENTS = 10
LOADS = 4
EXIT_STOPPED = 0
# EX_SOFTWARE: something nobody thought of; a fresh process takes over from the committed offsets.
EXIT_FAILED = 70

ALWAYS_POSTGRES = frozenset({Kind.STATE, Kind.STORAGE})


def main(settings: Settings) -> int:
    """Load until SIGTERM or SIGINT; returns the exit code. Raises ConfigurationError before anything is read."""
    logs.configure(settings.log.level, settings.log.format, ROOM)
    with ExitStack() as stack:
        stop = lifecycle.Stop()
        stack.callback(stop.close)
        stop.install()
        numbers, liveness = LoaderNumbers(), Liveness()
        notices = lifecycle.Notices()
        stack.callback(notices.close)
        wish = Attentive(stop, liveness.part(LOADING, _longest_piece(settings)))
        places = _places(settings, wish, numbers)
        port = settings.central.loader.metrics_port
        if port is not None:
            stack.callback(MetricsDoor(port, numbers).close)
        loader = Loader(places, _rules(settings, wish), SystemClock(), numbers)
        return Running(loader, places, numbers, settings, Ending(stop, wish, liveness, notices)).run()


@dataclass(frozen=True, slots=True)
class Ending:
    """The wish to stop, the same as the loading thread asks for it, whether that thread lives, and whom to tell."""

    stop: lifecycle.Stop
    wish: Wish
    liveness: Liveness
    notices: lifecycle.Notices


class Running:
    """One run: a thread that loads, and this one, which tells that it lives."""

    def __init__(
        self, loader: Loader, places: Places, numbers: LoaderNumbers, settings: Settings, ending: Ending
    ) -> None:
        """Take everything wired."""
        self._loader = loader
        self._places = places
        self._numbers = numbers
        self._ending = ending
        self._runtime = settings.runtime_directory
        self._failed = False

    def run(self) -> int:
        """Load until the end is wished, or until something unforeseen happens."""
        log, ending = logs.get_logger(__name__), self._ending
        notices = ending.notices
        # A daemon: a database that hangs must not keep the process from ending.
        thread = threading.Thread(target=self._serve, name=ROOM, daemon=True)
        thread.start()
        self._publish("ready")
        notices.status("loading")
        notices.ready()
        log.info("loader ready", topics=sorted(self._places.routes))
        while not ending.stop.wait(PUBLISH_SECONDS):
            self._publish("ready")
            ending.liveness.feed(notices.watchdog)
        notices.draining(DRAIN_SECONDS)
        self._publish("draining")
        thread.join(DRAIN_SECONDS)
        lifecycle.withdraw(self._runtime, ROOM)
        log.info("loader stopped", drained=not thread.is_alive())
        return EXIT_FAILED if self._failed else EXIT_STOPPED

    def _serve(self) -> None:
        try:
            self._load()
        except Exception as error:  # boundary: the process ends, and says so; nothing was committed that is not loaded
            logs.get_logger(__name__).error("loader failed", fault=type(error).__name__)
            self._failed = True
        finally:
            self._ending.stop.set()
            self._close()

    def _load(self) -> None:
        clock, measured = SystemClock(), 0.0
        while not self._ending.wish.is_set():
            self._loader.step(POLL_SECONDS)
            if clock.monotonic() - measured > MEASURE_SECONDS:
                measured = clock.monotonic()
                self._loader.measure()
        self._loader.finish()

    def _close(self) -> None:
        places = self._places
        places.stream.close()
        places.graves.close()
        for target in {route.target.name: route.target for route in places.routes.values()}.values():
            target.close()
        if places.receipts is not None:
            places.receipts.close()

    def _publish(self, state: str) -> None:
        try:
            lifecycle.publish(
                self._runtime, ROOM, {"state": state, **self._numbers.snapshot(), **self._ending.liveness.snapshot()}
            )
        except OSError as error:
            logs.get_logger(__name__).warning("numbers not published", fault=type(error).__name__)


def _longest_piece(settings: Settings) -> float:
    """Return how many seconds the loading thread may be at one thing: a load of every statement's full time."""
    postgres, doris = settings.central.postgres, settings.central.doris
    relational = postgres.connect_timeout + STATEMENTS * (postgres.statement_timeout + postgres.lock_timeout)
    return max(PIECE_SECONDS, relational, LOADS * (doris.connect_timeout + doris.load_timeout))


def _places(settings: Settings, stop: Wish, numbers: LoaderNumbers) -> Places:
    central, environ = settings.central, os.environ
    loader = central.loader
    cluster = Cluster(**central.kafka.values(environ))
    routes = _routes(settings, _targets(settings, stop))
    membership = Membership(loader.group, tuple(routes), loader.session_seconds, loader.batch_rows)
    signed = loader.signatures == "required"
    return Places(
        stream=KafkaStream(cluster, membership, stop.is_set, numbers.note_missed),
        routes=routes,
        admission=Admission(Registry(central.registry), signed=signed, max_bytes=loader.max_record_bytes),
        graves=KafkaGraves(cluster, routes),
        receipts=PostgresReceipts(PostgresSettings(**central.postgres.values(environ))),
    )


def _targets(settings: Settings, stop: Wish) -> Mapping[str, Target]:
    central, environ = settings.central, os.environ
    targets: dict[str, Target] = {"postgres": PostgresTarget(PostgresSettings(**central.postgres.values(environ)))}
    if central.loader.image_store == "doris":
        options = DorisOptions(**central.doris.values(environ))
        targets["doris"] = DorisTarget(options, stopping=stop.is_set, wait=stop.wait)
    return targets


def _routes(settings: Settings, targets: Mapping[str, Target]) -> dict[str, Route]:
    central = settings.central
    routes = {}
    for kind in (Kind(name) for name in central.loader.kinds):
        store = "postgres" if kind in ALWAYS_POSTGRES else central.loader.image_store
        topic = central.kafka.topics.get(kind.value, TOPIC_NAMES[kind.value])
        routes[topic] = Route(kind, targets[store], TABLES[kind])
    return routes


def _rules(settings: Settings, stop: Wish) -> Rules:
    loader = settings.central.loader
    return Rules(
        Bounds(loader.batch_rows, loader.batch_bytes, loader.linger_seconds),
        Backoff(loader.backoff_base, loader.backoff_cap),
        random.random,
        stop.wait,
        loader.unknown_error_attempts,
        stop.is_set,
    )
