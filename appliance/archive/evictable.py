"""What may be evicted: every guard of invariant 13 by name, and the statements made of all of them.

A version's bytes may go only where every clause holds. The words before each clause are what an
operator is told of versions that it keeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# What a confirmation (c), given by a sink (s), must be like to count as proof of the bytes of a version (v).
PROOF: Final[Mapping[str, str]] = MappingProxyType({
    "of this very content": "c.version_id = v.id",
    "of the bytes": "c.level = 'bytes'",
    "not from the future": "c.at <= :now",
    "a receipt, or read back lately": "(c.kind = 'receipt' OR c.at >= :fresh)",
    "of a sink that can prove": "coalesce(json_extract(s.route, '$.proves'), 0) = 1",
    "of a sink in service": "s.active = 1",
    "of a sink that is not held": "s.held = ''",
})  # fmt: skip

_PROVEN: Final = "\n      AND ".join(PROOF.values())


def _asks(name: str, value: str) -> str:
    listed = f"json_each(r.route, '$.selection.{name}')"
    return f"(NOT EXISTS (SELECT 1 FROM {listed}) OR {value} IN (SELECT value FROM {listed}))"


# Whether the route of a sink (r) takes the object (v) of a series (e). A sink without a route takes everything.
_TAKES: Final = f"""(r.route = '' OR (
      'object' IN (SELECT value FROM json_each(r.route, '$.kinds'))
      AND {_asks("modalities", "coalesce(e.modality, '')")}
      AND {_asks("ae_titles", "v.source_ae")}
      AND {_asks("sop_classes", "v.sop_class_uid")}))"""

GUARDS: Final[Mapping[str, str]] = MappingProxyType({
    "no proof from a required sink": f"""NOT EXISTS (SELECT 1 FROM sink r WHERE r.active = 1 AND r.required = 1
    AND {_TAKES}
    AND NOT EXISTS (SELECT 1 FROM confirmation c JOIN sink s ON s.name = c.sink WHERE s.name = r.name
      AND {_PROVEN}))""",
    "no proof from anywhere": f"""EXISTS (SELECT 1 FROM confirmation c JOIN sink s ON s.name = c.sink
      WHERE {_PROVEN})""",
    "not delivered yet to a required sink": """NOT EXISTS (SELECT 1 FROM event u
    JOIN delivery d ON d.event_id = u.id JOIN sink q ON q.name = d.sink
    WHERE u.version_id = v.id AND q.required = 1 AND d.state IN ('pending', 'dead'))""",
    "on its way to a sink": """NOT EXISTS (SELECT 1 FROM event u JOIN delivery d ON d.event_id = u.id
    WHERE u.version_id = v.id AND d.state = 'leased')""",
    "a queue is still being filled": """NOT EXISTS (SELECT 1 FROM sink f
    WHERE f.active = 1 AND f.required = 1 AND f.filled < f.fill_until)""",
    "not the current content": "v.standing = 'current'",
    "an open conflict": """NOT EXISTS (SELECT 1 FROM conflict k
    WHERE k.tenant = v.tenant AND k.sop_uid = v.sop_uid AND k.settled = 0)""",
    "pinned": """NOT EXISTS (SELECT 1 FROM study_use p
    WHERE p.tenant = v.tenant AND p.study_uid = v.study_uid AND p.pinned_at IS NOT NULL)""",
    "looked at or fetched back just now": """NOT EXISTS (SELECT 1 FROM study_use w
    WHERE w.tenant = v.tenant AND w.study_uid = v.study_uid AND w.viewed_at > :in_use AND w.viewed_at < :horizon)""",
    "too young": "v.received_at <= :young",
})  # fmt: skip

_FROM: Final = """
FROM version v JOIN series e ON e.tenant = v.tenant AND e.study_uid = v.study_uid AND e.series_uid = v.series_uid
WHERE v.tenant = :tenant AND v.study_uid = :study_uid AND v.blob_path IS NOT NULL
"""

EVERY_GUARD: Final = "\n  AND ".join(GUARDS.values())

# The next versions of a study whose bytes may go now.
EVICTABLE: Final = f"""
SELECT v.id, v.series_uid, v.sop_uid, v.digest, v.blob_path, v.file_size {_FROM}
  AND v.id > :after AND {EVERY_GUARD}
ORDER BY v.id LIMIT :rows
"""

_NUMBERED: Final = tuple(f"guard_{number}" for number in range(len(GUARDS)))
_LET_GO: Final = " AND ".join(_NUMBERED)

# How much of a study that is; and, in the order of GUARDS, how many versions each guard keeps. Each is asked once.
MEASURED: Final = f"""
WITH judged AS MATERIALIZED (SELECT v.file_size AS size,
  {", ".join(f"({guard}) AS {name}" for name, guard in zip(_NUMBERED, GUARDS.values(), strict=True))} {_FROM})
SELECT count(*), coalesce(sum(size), 0),
  count(*) FILTER (WHERE {_LET_GO}), coalesce(sum(size) FILTER (WHERE {_LET_GO}), 0),
  {", ".join(f"count(*) FILTER (WHERE NOT {name})" for name in _NUMBERED)} FROM judged
"""

# The versions that only the age of a read-back keeps here: reading them back once more would let them go.
STALE: Final = f"""
SELECT v.id, v.file_size {_FROM}
  AND {EVERY_GUARD.replace(PROOF["a receipt, or read back lately"], "1").replace(PROOF["not from the future"], "1")}
  AND NOT ({EVERY_GUARD})
"""
