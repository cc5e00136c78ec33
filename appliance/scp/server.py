"""The DICOM door as a whole: listeners, lobby, reception; and how it closes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from appliance.clock import Clock
from appliance.logs import get_logger
from appliance.scp.listeners import Listener
from appliance.scp.lobby import Lobby, LobbyLimits
from appliance.scp.reception import Reception

# An association that has been silent for so long has nothing under way that a drain should wait for.
IDLE_SECONDS = 1.0
# How long an association may take to notice that it was dismissed.
_NOTICE_SECONDS = 5.0
_STEP_SECONDS = 0.1


class Server:
    """Accepts associations from `start` to `drain`."""

    def __init__(
        self,
        listeners: Sequence[Listener],
        limits: LobbyLimits,
        reception: Reception,
        clock: Clock,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        """Take what listens, and who is served; `beat` is called every few seconds while somebody would be let in."""
        self._reception = reception
        self._clock = clock
        self._lobby = Lobby(listeners, limits, reception.receive, reception.distrust, clock, beat)

    def start(self) -> None:
        """Begin to accept."""
        self._lobby.start()

    @property
    def alive(self) -> bool:
        """Whether it accepts; False between `start` and `drain` means that it failed."""
        return self._lobby.alive

    @property
    def waiting(self) -> int:
        """Connections that are not an association yet."""
        return self._lobby.waiting

    def drain(self, timeout: float) -> bool:
        """Accept nobody any more, let associations at work finish, abort the idle ones.

        C-STOREs under way are answered. After `timeout` seconds every association is aborted, whatever
        it does. Returns whether all of them ended by then. Safe to repeat.
        """
        self._lobby.close()
        deadline = self._clock.monotonic() + timeout
        while self._clock.monotonic() < deadline:
            for association in self._reception.standing():
                if association.idle_seconds() >= IDLE_SECONDS:
                    association.dismiss()
            if self._reception.wait_for_change(lambda count: count == 0, _STEP_SECONDS):
                return True
        late = self._reception.standing()
        if late:
            get_logger(__name__).warning("associations cut at the end of the drain", count=len(late))
        for association in late:
            association.dismiss()
        return self._reception.wait_for_change(lambda count: count == 0, _NOTICE_SECONDS)
