"""The pool as a service: one process that decodes for the others of the machine, asked through a unix socket.

Who asks opens the file and hands its descriptor over: the service opens no path, and needs no right to any.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from appliance.codec.caller import Caller
from appliance.codec.doorway import may_ask, owner_of
from appliance.codec.limits import Limits
from appliance.codec.pool import Pool
from appliance.codec.tally import Tally
from appliance.lifecycle import Stop
from appliance.liveness import Liveness
from appliance.logs import get_logger

BEAT_SECONDS: Final = 1.0
# How often the service manager hears of an idle service; its WatchdogSec is a multiple of this.
REST_SECONDS: Final = 10.0
SHORTEST_REST: Final = 0.001
# Beyond what the pool's line and its workers take: those who are still asking, or being refused.
SPARE_CALLERS: Final = 16
# After accept() has failed for want of descriptors.
PAUSE_SECONDS: Final = 0.1
DRAIN_SPARE: Final = 5.0
# A child that is killed and does not end, twice over, and half a deadline for a caller that takes its time with the
# last piece (caller.py); a thread that takes longer hangs.
STUCK_AFTER: Final = 30.0
STUCK_DEADLINES: Final = 1.5

log = get_logger(__name__)


class Service:
    """Accepts callers and watches that they stay; each has a thread while it is served."""

    def __init__(self, listener: socket.socket, limits: Limits) -> None:
        """Serve whoever connects to `listener`, which stays the caller's."""
        self._listener = listener
        self._owner = owner_of(listener)
        self._limits = limits
        self._tally = Tally()
        self._pool = Pool(limits, self._tally)
        self.most = limits.workers + limits.waiting + SPARE_CALLERS
        self._lock = threading.Lock()
        self._left = threading.Event()
        self._threads = ThreadPoolExecutor(self.most, "codec-caller")
        self._callers: set[Caller] = set()
        self._waiting: dict[int, Caller] = {}
        self._epoll = select.epoll()
        self._heard = time.monotonic()
        self._ticked = 0.0

    def live_in(self, liveness: Liveness) -> None:
        """Let `liveness` watch the decoding."""
        limits = self._limits
        longest = limits.start_seconds + STUCK_DEADLINES * limits.deadline_seconds + STUCK_AFTER
        liveness.watch("decoding", longest, self._pool.began)

    @property
    def serving(self) -> int:
        """How many are served now, or are about to ask."""
        return len(self._callers)

    @property
    def drain_seconds(self) -> float:
        """How long `close` waits for tasks under way."""
        return self._limits.deadline_seconds + DRAIN_SPARE

    def serve(self, stop: Stop, idle_seconds: float | None, tick: Callable[[], object]) -> bool:
        """Serve until `stop` is set, or nobody has asked for `idle_seconds` (None: never); True for the latter.

        Calls `tick` at least every REST_SECONDS. Who connects at the last moment is not accepted: it waits in the
        socket's queue for the next process.
        """
        self._listener.setblocking(False)
        self._epoll.register(self._listener, select.EPOLLIN)
        self._epoll.register(stop, select.EPOLLIN)
        while not stop.is_set():
            for descriptor, _ in self._epoll.poll(self._rest(idle_seconds)):
                if descriptor == self._listener.fileno():
                    self._accept(stop)
                elif descriptor != stop.fileno():
                    self._look_at(descriptor)
            self._tell(tick)
            if idle_seconds is not None and self._idle_for() >= idle_seconds:
                return True
        return False

    def close(self, tick: Callable[[], object]) -> None:
        """Let tasks under way end within their deadline, then end every child; to be called once, after `serve`."""
        ends = time.monotonic() + self.drain_seconds
        while self.serving and time.monotonic() < ends:
            self._left.wait(BEAT_SECONDS)
            self._left.clear()
            self._tell(tick)
        self._pool.close()
        self._threads.shutdown()
        self._epoll.close()

    def _tell(self, tick: Callable[[], object]) -> None:
        """Once in BEAT_SECONDS, tell those who wait, and whoever calls us, that we are there."""
        now = time.monotonic()
        if now - self._ticked < BEAT_SECONDS:
            return
        self._ticked = now
        with self._lock:
            waiting = list(self._waiting.values())
        for caller in waiting:
            caller.beat()
        tick()

    def _rest(self, idle_seconds: float | None) -> float:
        longest = BEAT_SECONDS if self.serving else REST_SECONDS
        return longest if idle_seconds is None else min(longest, max(SHORTEST_REST, idle_seconds - self._idle_for()))

    def _idle_for(self) -> float:
        if self.serving:
            self._heard = time.monotonic()
        return time.monotonic() - self._heard

    def _accept(self, stop: Stop) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            log.warning("a caller cannot be accepted", reason=error.strerror)
            stop.wait(PAUSE_SECONDS)
            return
        self._heard = time.monotonic()
        caller = Caller(connection, self._pool, self._tally)
        if not may_ask(connection, self._owner):
            log.warning("a caller of another user was turned away")
            caller.close()
        elif self.serving >= self.most:
            caller.refuse()
            caller.close()
        else:
            self._begin(caller)

    def _begin(self, caller: Caller) -> None:
        with self._lock:
            self._callers.add(caller)
        try:
            self._threads.submit(self._attend, caller)
        except RuntimeError:  # no further thread (TasksMax=)
            with self._lock:
                self._callers.discard(caller)
            caller.refuse()
            caller.close()

    def _attend(self, caller: Caller) -> None:
        try:
            if caller.ask():
                self._watch(caller)
                caller.answer()
        except Exception as error:  # boundary: one caller's thread; the others go on
            # The kind alone: its words may quote what it choked on.
            log.error("a caller could not be served", error=type(error).__name__)
        finally:
            self._forget(caller)
            caller.close()
            with self._lock:
                self._callers.discard(caller)
            self._left.set()

    def _watch(self, caller: Caller) -> None:
        with self._lock:
            self._waiting[caller.fileno()] = caller
            self._epoll.register(caller, select.EPOLLIN | select.EPOLLRDHUP)

    def _forget(self, caller: Caller) -> None:
        with self._lock:
            if self._waiting.pop(caller.fileno(), None) is not None:
                self._epoll.unregister(caller)

    def _look_at(self, descriptor: int) -> None:
        """Give up the task of a caller that has gone; the number may be another one's by now."""
        with self._lock:
            caller = self._waiting.get(descriptor)
        if caller is not None and caller.gone() and caller.task is not None:
            self._forget(caller)
            self._pool.abandon(caller.task)
