"""Secrets are masked, UIDs renamed, DEBUG lines known."""

from __future__ import annotations

import json

import pytest

from appliance.care.bundle import journal
from appliance.care.bundle.pseudonyms import Pseudonyms
from appliance.care.bundle.secrets import masked, masked_text


@pytest.mark.parametrize(
    "text",
    [
        "https://user:hunter2@host/x",
        "https://user:p@ss:hunter2@host/x",
        "Authorization: Digest username=x, response=hunter2",
        "Cookie: a=b; session=hunter2",
        "https://host/x?sv=1&sig=hunter2",
        "appliance user add ada --password hunter2",
        "private_key: hunter2",
        "the token dea_hunter2 is old",
        "hash $argon2id$v=19$m=65536,t=3,p=4$hunter2$hunter2",
        "hunter2abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
        "amqp://hunter2@host",
        "Authorization: Bearer hunter2hunter2",
        "authorization=Basic hunter2hunter2==",
        'password = "hunter2"',
        "api_key=hunter2, next",
        '{"refresh_token": "hunter2"}',
        "?access_token=hunter2&x=1",
        "set-up code: hunter2",
        "-----BEGIN EC PRIVATE KEY-----\nhunter2\n-----END EC PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    assert "hunter2" not in masked_text(text)


def test_a_set_up_code_is_masked_wherever_it_stands() -> None:
    assert "7K2M" not in masked_text("open the page and type 7K2M-00AB-XYZ9-1234 there")


def test_what_does_not_is_as_it_was() -> None:
    for text in (
        "https://host:8443/dicom-web",
        "ae_title=CT1 address=192.0.2.1",
        "retry 3 of 10",
        "sha256=" + "0a" * 32,
        "/usr/lib/dicom-edge-appliance/venv/lib/python3.11/site-packages/appliance/x.py",
    ):
        assert masked_text(text) == text


def test_values_under_the_name_of_a_secret_are_masked_wherever_they_stand() -> None:
    value = {"a": {"password": "hunter2", "password_file": "/etc/x"}, "b": [{"Authorization": "hunter2"}]}
    found = masked({**value, "sync.sinks.x.headers.Cookie": {"value": "hunter2", "origin": "/etc/y"}})
    assert "hunter2" not in json.dumps(found)
    assert found["a"]["password_file"] == "/etc/x"
    assert found["sync.sinks.x.headers.Cookie"]["origin"] == "/etc/y"


def test_uids_have_one_name_each_and_those_of_the_standard_their_own() -> None:
    names = Pseudonyms(b"k" * 32)
    text = "1.2.826.0.1.3680043.8.498.1 1.2.840.10008.1.2.1 archive/1.2.826.0.1.3680043.8.498.1.dcm 10.1.2.3 0.1.0"
    first, standard, path, address, version = names.applied(text).split()
    assert first.startswith("uid-") and path == f"archive/{first}.dcm"
    assert (standard, address, version) == ("1.2.840.10008.1.2.1", "10.1.2.3", "0.1.0")
    assert Pseudonyms(b"l" * 32).applied(text).split()[0] != first


def test_debug_lines_are_known_by_the_journal_and_by_their_own_word() -> None:
    assert journal.is_debug("x", "7") and not journal.is_debug("x", "6")
    assert journal.is_debug("2026-11-22T09:36:32Z [debug    ] header")
    assert journal.is_debug('{"event":"header","level":"debug"}')


def test_an_excerpt_has_neither_debug_lines_nor_what_is_no_entry() -> None:
    entries = [
        {"MESSAGE": "one", "PRIORITY": "6", "_SYSTEMD_UNIT": "dicom-edge-scp.service", "__REALTIME_TIMESTAMP": "0"},
        {"MESSAGE": "two", "PRIORITY": "7", "_SYSTEMD_UNIT": "dicom-edge-scp.service", "__REALTIME_TIMESTAMP": "0"},
        {"MESSAGE": list("müll".encode("latin-1")), "_SYSTEMD_UNIT": "dicom-edge-web.service"},
    ]
    data = b"\n".join([*(json.dumps(entry).encode() for entry in entries), b"torn {", b"[]"])
    found = journal.excerpt(lambda command: data)
    assert found.lines[0] == "1970-01-01T00:00:00.000Z dicom-edge-scp.service: one"
    assert found.lines[1].endswith("müll") and len(found.lines) == 2 and found.debug == 1
    assert journal.excerpt(lambda command: None).lines == ()
