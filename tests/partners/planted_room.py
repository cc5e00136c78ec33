"""A room whose codec children are `planted_child`'s: the command that follows is run with that one change.

    python -m tests.partners.planted_room python -m appliance web

Only tests start it, as the wrapper of a room; the product has no such switch.
"""

from __future__ import annotations

import runpy
import sys
from functools import partial

from appliance.codec import decoding, service
from appliance.codec.pool import Pool
from tests.partners.planted_child import MODULE

WRAPPER = (sys.executable, "-m", "tests.partners.planted_room")

if __name__ == "__main__":
    for asked in (decoding, service):
        setattr(asked, "Pool", partial(Pool, module=MODULE))  # noqa: B010
    _, _, _, package, *arguments = sys.argv
    sys.argv = [package, *arguments]
    runpy.run_module(package, run_name="__main__", alter_sys=True)
