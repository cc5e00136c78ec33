"""The OpenAPI description: every route of the API is in it, and nothing else."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import cast

import schemathesis

from appliance.web import create_app
from appliance.web.openapi import PARAMETERS, description, operations
from appliance.web.services import Services

DESCRIBED = ("/dicom-web/", "/api/", "/wado", "/healthz", "/readyz", "/metrics")


def routes() -> set[tuple[str, str]]:
    """Return (path, method) of every route that the description is about, from the application itself."""
    app = create_app(cast(Services, SimpleNamespace(max_body_bytes=1)))
    return {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(DESCRIBED)
    }


def test_every_route_is_described_and_every_description_is_a_route() -> None:
    described = [(operation.path, operation.method) for operation in operations()]
    assert len(described) == len(set(described))
    assert set(described) == routes()


def test_every_parameter_of_a_path_is_described() -> None:
    for operation in operations():
        assert set(re.findall(r"{(\w+)}", operation.path)) | set(operation.query) <= set(PARAMETERS)


def test_the_document_is_openapi() -> None:
    schema = schemathesis.openapi.from_dict(description())
    schema.validate()
    assert len(list(schema.get_all_operations())) == len(operations())
