"""What the loader writes into a real PostgreSQL reaches the box, signed; without it the door stays open."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.central.receipts_writer import PostgresReceipts
from appliance.model.receipts import BYTES_CONFIRMED, METADATA_CONFIRMED
from tests.builders.instances import ct, part10
from tests.integration.central.postgres_database import TENANT, Database, receipt
from tests.integration.central.receiver import Sender
from tests.partners.centre import Centre
from tests.waiting import wait_until

TOKEN = "metadata"
POSTGRES = """
[central.postgres]
host = "127.0.0.1"
port = {port}
database = "{name}"
user = "{user}"
password_file = "{password}"
tls = "prefer"
connect_timeout = 2
"""


@pytest.fixture
def centre(database: Database) -> Iterator[Centre]:
    """A receiver that reads this test's database."""
    settings = database.settings
    more = POSTGRES.format(port=settings.port, name=database.name, user=settings.user, password=settings.password_file)
    with tempfile.TemporaryDirectory(prefix="rcv-") as folder, Centre(Path(folder), more, imports=True) as found:
        found.admit("clinic-7", TENANT, token_sha256=(hashlib.sha256(TOKEN.encode()).hexdigest(),))
        yield found


def test_metadata_is_confirmed_and_postgresql_holds_up_nobody(centre: Centre, database: Database) -> None:
    box = Sender(centre.url, token=TOKEN)
    book = PostgresReceipts(database.settings)
    try:
        book.write([receipt(1, 5), receipt(1, sop="1.2.1.1"), receipt(2, site="clinic-8")])
        centre.start()
        centre.wait_ready()
        wait_until(lambda: len(box.receipts(centre.receipt_key)) == 2, 20)
        series, image = sorted(box.receipts(centre.receipt_key), key=lambda one: one.sop_uid)
        assert (series.level, series.revision, series.sop_uid) == (METADATA_CONFIRMED, 5, "")
        assert (image.level, image.sop_uid, image.digest) == (METADATA_CONFIRMED, "1.2.1.1", "ab" * 32)
        database.server.pause()
        try:
            assert box.store(part10(ct())).status_code == 200
            assert box.receipts(centre.receipt_key)[-1].level == BYTES_CONFIRMED
        finally:
            database.server.resume()
        last = box.receipts(centre.receipt_key)[-1].id
        book.write([receipt(1, 9)])
        wait_until(lambda: box.receipts(centre.receipt_key, after=last), 30)
        (newer,) = box.receipts(centre.receipt_key, after=last)
        assert (newer.series_uid, newer.revision) == (series.series_uid, 9)
        assert b"dicom_edge_central_receipts_import_up 1.0" in centre.get("/metrics")[1]
        assert centre.stop() == 0
    finally:
        book.close()
