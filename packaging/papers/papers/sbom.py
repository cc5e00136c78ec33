"""The bill of materials: CycloneDX 1.6 as JSON (https://cyclonedx.org/docs/1.6/json/)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from papers.lock import normal
from papers.part import Part

SPEC = "1.6"
# Any fixed name space gives the same serial number for the same content.
_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/dicom-edge-appliance")
_ANY_OF = "the files the lock allows; one of them is what is installed"

Json = dict[str, Any]


def document(product: Part, parts: Sequence[Part], built: datetime) -> str:
    """The document's text; the serial number follows from everything else in it."""
    content: Json = {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "version": 1,
        "metadata": {
            "timestamp": built.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": _component(product, "application", ""),
        },
        "components": [_component(part, "library", "") for part in parts],
        "dependencies": list(_dependencies(product, parts)),
    }
    serial = uuid.uuid5(_SPACE, json.dumps(content, sort_keys=True))
    return json.dumps({**content, "serialNumber": f"urn:uuid:{serial}"}, indent=2, sort_keys=True) + "\n"


def reference(part: Part, above: str) -> str:
    """How the document calls a part: unique even where two wheels bring the same library."""
    own = part.purl or f"{part.name}@{part.version}"
    return f"{above}#{own}" if above else own


def _component(part: Part, kind: str, above: str) -> Json:
    ref = reference(part, above)
    made: Json = {"type": kind, "bom-ref": ref, "name": part.name}
    optional: Json = {
        "version": part.version,
        "description": part.summary,
        "purl": part.purl,
        "cpe": part.cpe,
        "copyright": "; ".join(part.holders),
        "licenses": [{"expression": part.licence}] if part.licence else [],
        "externalReferences": [_source(*source) for source in part.sources],
        "components": [_component(inner, "library", ref) for inner in _distinct(part.parts)],
    }
    return made | {key: value for key, value in optional.items() if value}


def _source(url: str, hashes: Sequence[Any]) -> Json:
    told = {"comment": _ANY_OF} if len(hashes) > 1 else {}
    digests = [{"alg": each.algorithm, "content": each.content} for each in hashes]
    return {"type": "distribution", "url": url, **told, **({"hashes": digests} if digests else {})}


def _dependencies(product: Part, parts: Sequence[Part]) -> Iterable[Json]:
    refs = {normal(part.name): reference(part, "") for part in parts}
    yield {"ref": reference(product, ""), "dependsOn": sorted(refs.values())}
    for part in parts:
        yield {"ref": reference(part, ""), "dependsOn": sorted(refs[name] for name in part.needs if name in refs)}


def _distinct(parts: Iterable[Part]) -> Iterable[Part]:
    return {(part.purl or part.name, part.version): part for part in parts}.values()
