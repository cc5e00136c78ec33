"""Labels of Stream Loads: the same rows of the same place have the same label, so that Doris takes them once.

They save work after a lost answer and nothing more: after a crash or a rebalance batches differ, and so do
labels; what keeps rows single then are the keys of the tables and the revisions.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from appliance.central.targets import Batch

LONGEST: Final = 128
HASH_DIGITS: Final = 12

_OTHER: Final = re.compile(r"[^-_A-Za-z0-9:]")


def label_of(cluster: str, batch: Batch, body: bytes) -> str:
    """Return `cluster-table-topic-partition-first-last-hash` in the letters and the length that Doris allows.

    The hash is of the body with table and topic, so that names which were cut, or had letters replaced, stay
    apart. Parts of a batch share its offsets and differ by it.
    """
    facts = f"{cluster}\0{batch.table}\0{batch.topic}\0{batch.again or ''}".encode()
    digest = hashlib.sha256(facts + body).hexdigest()[:HASH_DIGITS]
    tail = f"-{batch.partition}-{batch.first_offset}-{batch.last_offset}-{digest}"
    head = _OTHER.sub("_", f"{cluster}-{batch.table}-{batch.topic}")
    return head[: LONGEST - len(tail)] + tail
