"""The codec service in a thread of the test, with planted children, and pools that ask it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from appliance.codec import service as service_module
from appliance.codec.doorway import bind
from appliance.codec.limits import Limits
from appliance.codec.pool import Pool
from appliance.codec.remote import RemotePool
from appliance.codec.service import Service
from appliance.lifecycle import Stop
from tests.integration.codec.pools import DEADLINE, Notebook
from tests.partners.planted_child import MODULE


class Served:
    """A service that runs, and what a test looks at."""

    def __init__(self, path: Path, limits: Limits, service: Service, pool: Pool) -> None:
        """Take what was started."""
        self.path = path
        self.limits = limits
        self.service = service
        self.pool = pool

    def asking(self, observer: Notebook | None = None) -> RemotePool:
        """Return a pool that asks it."""
        return RemotePool(self.path, self.limits, observer)

    def connected(self) -> socket.socket:
        """Return a raw connection."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(20)
        connection.connect(str(self.path))
        return connection


@contextmanager
def served(folder: Path, **bounds: Any) -> Iterator[Served]:
    """Yield a service below `folder`; it is drained and closed after."""
    limits = Limits(**{"deadline_seconds": DEADLINE, "memory_bytes": 768 << 20, "output_bytes": 32 << 20, **bounds})
    pools: list[Pool] = []

    def planted(*arguments: Any) -> Pool:
        pools.append(Pool(*arguments, module=MODULE))
        return pools[-1]

    with pytest.MonkeyPatch.context() as patch, bind(folder / "codec.sock") as listener:
        patch.setattr(service_module, "Pool", planted)
        stop, service = Stop(), Service(listener, limits)
        thread = threading.Thread(target=partial(service.serve, stop, None, lambda: None))
        thread.start()
        try:
            yield Served(folder / "codec.sock", limits, service, pools[0])
        finally:
            stop.set()
            thread.join()
            service.close(lambda: None)
            stop.close()
