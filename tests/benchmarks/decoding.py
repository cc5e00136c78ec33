"""Small frames through a pool of this process and through the codec service, in turn, with the same children's code."""

from __future__ import annotations

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from appliance.codec.decoding import Decoding
from appliance.codec.doorway import bind
from appliance.codec.limits import Limits
from appliance.codec.pool import Pool
from appliance.codec.remote import RemotePool
from appliance.codec.service import Service
from appliance.codec.source import Source
from appliance.lifecycle import Stop
from tests.builders.instances import ct
from tests.builders.sources import written

# Rows and columns; 16 bits each.
SIZES: Final = (64, 512)
FRAMES: Final = 300
ROUNDS: Final = 7
CALLERS: Final = (1, 4)


def frames_a_second(pool: Decoding, source: Source, callers: int) -> float:
    """Return how many frames come a second."""
    with ThreadPoolExecutor(callers) as asking:
        begun = time.perf_counter()
        for outcome in asking.map(lambda _: pool.run("native", source, {"frame": 1}), range(FRAMES)):
            assert outcome.data
        return FRAMES / (time.perf_counter() - begun)


def compare(source: Source, own: Decoding, service: Decoding, callers: int) -> tuple[float, float, float]:
    """Return frames a second of both, and the median of the rounds' ratios, service to own."""
    pairs = [[frames_a_second(pool, source, callers) for pool in (own, service)] for _ in range(ROUNDS)]
    ratio = statistics.median(theirs / ours for ours, theirs in pairs)
    ours, theirs = (statistics.median(speeds) for speeds in zip(*pairs, strict=True))
    return ours, theirs, ratio


def main() -> None:
    """Print frames a second of both for each size and number of callers."""
    print("\nuncompressed frames a second, pool of the process against codec service")
    limits, stop = Limits(), Stop()
    with TemporaryDirectory() as folder, bind(Path(folder) / "codec.sock") as listener:
        service = Service(listener, limits)
        thread = threading.Thread(target=service.serve, args=(stop, None, lambda: None))
        thread.start()
        own, remote = Pool(limits), RemotePool(Path(folder) / "codec.sock", limits)
        for size in SIZES:
            source = written(Path(folder), ct(Rows=size, Columns=size, PixelData=bytes(2 * size * size)))
            for callers in CALLERS:
                ours, theirs, ratio = compare(source, own, remote, callers)
                print(f"{size}x{size}, {callers} callers: {ours:6.0f} and {theirs:6.0f}, ratio {ratio:.2f}")
        own.close()
        stop.set()
        thread.join()
        service.close(lambda: None)
        stop.close()


if __name__ == "__main__":
    main()
