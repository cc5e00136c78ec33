"""What the databases of a stage hold, and the same as one value to compare."""

from __future__ import annotations

from typing import Any

from tests.partners.doris.server import DorisServer
from tests.partners.postgres import Postgres
from tests.partners.stage.settings import DATABASE

POSTGRES_TABLES = ("dicom_state_meta", "dicom_object_meta", "dicom_json_meta")
DORIS_TABLES = ("dicom_image_meta", "dicom_object_meta", "dicom_transcode_log", "dicom_access_log")


class Tables:
    """The tables of PostgreSQL and of the Doris double."""

    def __init__(self, postgres: Postgres, doris: DorisServer) -> None:
        """Take the servers."""
        self._postgres, self._doris = postgres, doris

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query of PostgreSQL finds."""
        return self._postgres.rows(DATABASE, query)

    def doris(self, table: str) -> list[dict[str, Any]]:
        """What Doris shows of a table."""
        return self._doris.rows(table)

    def receipts(self) -> int:
        """The highest number of a receipt of the loader."""
        return int(self.rows("SELECT coalesce(max(seq), 0) FROM edge_receipt")[0][0])

    def dump(self) -> dict[str, list[Any]]:
        """Every row of every table, in an order of its own."""
        found: dict[str, list[Any]] = {
            f"postgres {name}": sorted(self.rows(f"SELECT t::text FROM {name} t")) for name in POSTGRES_TABLES
        }
        receipts = "SELECT site, tenant_id, level, series_uid, sop_uid, digest, revision FROM edge_receipt"
        found["postgres edge_receipt"] = sorted(self.rows(receipts))
        for name in DORIS_TABLES:
            found[f"doris {name}"] = sorted(repr(sorted(row.items())) for row in self.doris(name))
        return found
