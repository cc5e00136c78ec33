"""The machine's hash: the locksmith's and the appliance's are one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance import machine as appliances
from pki import machine
from pki.errors import Missing


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text("0123456789abcdef", min_size=1, max_size=40), st.sampled_from(["", "\n"]))
def test_locksmith_and_appliance_compute_the_same(tmp_path: Path, identity: str, end: str) -> None:
    path = tmp_path / "machine-id"
    path.write_text(identity + end)
    assert machine.machine_hash(path) == appliances.machine_hash(path)
    assert len(machine.machine_hash(path)) == 64
    assert identity not in machine.machine_hash(path) or len(identity) < 8


def test_they_look_in_the_same_place() -> None:
    assert machine.MACHINE_ID == appliances.MACHINE_ID == Path("/etc/machine-id")


@pytest.mark.parametrize("content", [None, "", "\n", "uninitialized\n"])
def test_a_machine_without_an_id_is_told_what_to_do(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "machine-id"
    if content is not None:
        path.write_text(content)
    with pytest.raises(Missing) as refusal:
        machine.machine_hash(path)
    assert "systemd-machine-id-setup" in refusal.value.hint
