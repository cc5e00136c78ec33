"""Trace context of an association."""

from __future__ import annotations

from appliance.scp.trace import new_traceparent


def test_a_traceparent_has_the_form_of_the_recommendation() -> None:
    version, trace, span, flags = new_traceparent().split("-")
    assert (version, len(trace), len(span), flags) == ("00", 32, 16, "01")
    assert new_traceparent() != new_traceparent()
