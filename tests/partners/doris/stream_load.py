"""A Stream Load from its headers to its answer, apart from sockets."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.partners.doris.cells import Unqualified, cell
from tests.partners.doris.ddl import Table
from tests.partners.doris.storage import COMMITTED, FINISHED, RUNNING, Row, Storage, Transaction

LABEL = re.compile(r"[-_A-Za-z0-9:]{1,128}")
NOT_DONE_HERE = (
    "where", "jsonpaths", "json_root", "strip_outer_array", "partitions", "merge_type", "delete", "group_commit",
    "two_phase_commit", "partial_columns", "function_column.sequence_col", "compress_type", "num_as_string",
    "fuzzy_parse",
)  # fmt: skip


class Refused(Exception):
    """The load ends before its body is read; the text is the Message."""


def analysis(detail: str) -> Refused:
    """An error as the frontend words it."""
    return Refused(f"[ANALYSIS_ERROR]TStatus: errCode = 2, detailMessage = {detail}")


class Load:
    """One request to a backend: `begin` by the headers, `judge` the body, then `commit`."""

    def __init__(self, storage: Storage, errors: Path, database: str, table: str, headers: Mapping[str, str]) -> None:
        self.storage, self.errors = storage, errors
        self.database, self.table_name = database, table
        self.headers = headers
        self.label = headers.get("label") or str(uuid.uuid4())
        self.transaction: Transaction | None = None
        self.rows: list[Row] = []
        self.facts: dict[str, Any] = {"TxnId": -1, "Label": self.label}

    def begin(self) -> dict[str, Any] | None:
        """Open the transaction; an answer when the load ends here."""
        try:
            self._table = self._admit()
            self.columns = self._columns()
        except Refused as refusal:
            return self.answer("Fail", str(refusal))
        self.transaction = self.storage.begin(self.database, self.label, self.table_name)
        if self.transaction is None:
            return self._taken()
        self.facts["TxnId"] = self.transaction.number
        return None

    def judge(self, body: bytes, error_root: str) -> dict[str, Any] | None:
        """Convert the rows; an answer when they are refused, all of them together."""
        log: list[str] = []
        lines = [line for line in body.decode("utf-8", "surrogateescape").split("\n") if line.strip()]
        strict = self.headers.get("strict_mode", "false").lower() == "true"
        for line in lines:
            try:
                self.rows.append(self._row(line, strict=strict))
            except Unqualified as fault:
                log.append(f"{fault}. src line [{line}]; ")
        counts = {"NumberTotalRows": len(lines), "NumberLoadedRows": len(self.rows), "NumberFilteredRows": len(log)}
        self.facts |= {**counts, "NumberUnselectedRows": 0, "LoadBytes": len(body), "LoadTimeMs": 1}
        if not log:
            return None
        name = uuid.uuid4().hex
        self.errors.mkdir(parents=True, exist_ok=True)
        (self.errors / name).write_text("\n".join(log), errors="replace")
        self.facts["ErrorURL"] = f"{error_root}/api/_load_error_log?file=__shard_1/error_log_insert_stmt_{name}"
        if len(log) <= float(self.headers.get("max_filter_ratio", "0")) * len(lines):
            return None
        return self.fail("[DATA_QUALITY_ERROR]too many filtered rows")

    def fail(self, message: str) -> dict[str, Any]:
        """Roll back and say why."""
        if self.transaction is not None:
            self.storage.abort(self.transaction)
        return self.answer("Fail", message)

    def commit(self, *, visible: bool = True) -> dict[str, Any]:
        """Keep the rows and say so."""
        assert self.transaction is not None
        self.storage.commit(self.transaction, self.rows, visible=visible)
        return (
            self.answer("Success", "OK")
            if visible
            else self.answer("Publish Timeout", "transaction commit successfully, BUT data will be visible later")
        )

    def answer(self, status: str, message: str, **more: Any) -> dict[str, Any]:
        """The document of an answer."""
        return {**self.facts, "TwoPhaseCommit": "false", "Status": status, **more, "Message": message}

    def _taken(self) -> dict[str, Any]:
        holder = self.storage.holder(self.database, self.label)
        states = {RUNNING: "RUNNING", COMMITTED: "FINISHED", FINISHED: "FINISHED"}
        state = states[holder.state] if holder is not None else ""
        message = (
            f"[LABEL_ALREADY_EXISTS]TStatus: errCode = 2, detailMessage = Label [{self.label}] has already been used"
        )
        return self.answer("Label Already Exists", message, ExistingJobStatus=state)

    def _admit(self) -> Table:
        if not LABEL.fullmatch(self.label):
            raise analysis(f"Label format error. regex: ^[-_A-Za-z0-9:]{{1,128}}$, but value: {self.label}")
        if self.headers.get("format", "csv").lower() != "json":
            raise Refused(f"[INTERNAL_ERROR]unknown data format, format={self.headers.get('format', 'csv')}")
        if self.headers.get("read_json_by_line", "").lower() != "true":
            raise Refused("[INTERNAL_ERROR]this double reads JSON by line alone")
        for name in NOT_DONE_HERE:
            if name in self.headers:
                raise Refused(f"[INTERNAL_ERROR]this double does not know the header {name}")
        if not any(database == self.database for database, _ in self.storage.tables):
            raise analysis(f"unknown database, database={self.database}")
        table = self.storage.tables.get((self.database, self.table_name))
        if table is None:
            raise analysis(f"Unknown table '{self.table_name}'")
        return table

    def _columns(self) -> list[str]:
        """The columns that the load names. Others of the JSON are skipped; others of the table need a default."""
        names = [column.name for column in self._table.columns]
        if "columns" not in self.headers:
            return names
        wanted = [name.strip().strip("`") for name in self.headers["columns"].split(",")]
        if any("=" in name for name in wanted):
            raise Refused("[INTERNAL_ERROR]this double knows no expressions in columns")
        if self._table.sequence and self._table.sequence not in wanted:
            raise analysis(f"Table {self.table_name} has sequence column, need to specify the sequence column")
        for column in self._table.columns:
            if column.name not in wanted and not column.nullable and column.default is None:
                raise analysis(f"Column has no default value, column={column.name}")
        return [name for name in wanted if name in names]

    def _row(self, line: str, *, strict: bool) -> Row:
        try:
            found = json.loads(line, parse_constant=_no_constant)
            line.encode()
        except ValueError:
            raise Unqualified("Reason: Parse json data for JsonDoc failed. code: 3, error info: invalid") from None
        if not isinstance(found, dict):
            raise Unqualified("Reason: Expect json object value")
        row: Row = {}
        for column in self._table.columns:
            value = found.get(column.name, column.default) if column.name in self.columns else column.default
            row[column.name] = cell(column, value, strict=strict)
        return row


def _no_constant(name: str) -> Any:
    raise ValueError(name)
