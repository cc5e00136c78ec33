"""Settings of decoding."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field

from appliance.config.kinds import GIB, MIB, Count, Seconds, Size, SocketPath
from appliance.config.section import Section

_BESIDES: Final = frozenset({"cache_bytes", "socket", "idle_exit_seconds"})


class CodecSection(Section):
    """Decoding of pixels, in child processes."""

    workers: int = Field(default=2, ge=1, le=64)
    """Child processes that decode at the same time."""

    deadline_seconds: Seconds = 20.0
    """Seconds one image may take; then its child process is killed."""

    memory_bytes: int = Field(default=2 * GIB, ge=512 * MIB)
    """Most memory (address space) of one child process, in bytes."""

    output_bytes: Count = 512 * MIB
    """Longest result of one task, in bytes: a decoded frame, or a whole transcoded object."""

    waiting: int = Field(default=32, ge=1, le=1024)
    """Most requests that wait for a child process, besides those that `web.threads` counts; more get a 503."""

    cache_bytes: Size = 2 * GIB
    """Most bytes of decoded frames kept below `cache/frames` of the home; 0 keeps none and prepares none."""

    socket: SocketPath | None = None
    """Socket of the codec service (`appliance codec`); unset means that each room decodes in children of its own."""

    idle_exit_seconds: Seconds = 300.0
    """Seconds without a request after which a codec service that systemd's socket has started ends."""

    def limits(self) -> dict[str, Any]:
        """Return what decoding may cost, by name; the codec reads no configuration itself."""
        return self.model_dump(exclude=set(_BESIDES))
