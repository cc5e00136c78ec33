"""The Doris double reads CREATE TABLE as Doris would, and refuses what Doris refuses."""

from __future__ import annotations

import pytest

from tests.partners.doris.ddl import BadDdl, parse

DDL = """
-- tables
CREATE DATABASE IF NOT EXISTS `clinic`;
USE `clinic`;
CREATE TABLE IF NOT EXISTS `things` (
    `id` VARCHAR(8) NOT NULL COMMENT 'the key; with a semicolon',
    `day` DATE NULL,
    `at` DATETIME(6) NULL,
    `n` INT NOT NULL DEFAULT "7",
    `revision` BIGINT NOT NULL
)
ENGINE=OLAP
UNIQUE KEY(`id`)
DISTRIBUTED BY HASH(`id`) BUCKETS 4
PROPERTIES ("replication_num" = "1", "function_column.sequence_col" = "revision");
"""


def test_names_types_and_the_key_model_are_read() -> None:
    (table,) = parse(DDL)
    assert (table.database, table.name, table.model, table.keys) == ("clinic", "things", "UNIQUE", ("id",))
    assert [(column.name, column.type, column.size, column.nullable) for column in table.columns] == [
        ("id", "VARCHAR", 8, False),
        ("day", "DATE", 0, True),
        ("at", "DATETIME", 6, True),
        ("n", "INT", 0, False),
        ("revision", "BIGINT", 0, False),
    ]
    assert table.column("n").default == "7" and table.sequence == "revision"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("UNIQUE KEY(`id`)", "UNIQUE KEY(`n`)"),
        ("UNIQUE KEY(`id`)", "UNIQUE KEY(`id`, `n`)"),
        ("HASH(`id`)", "HASH(`n`)"),
        ('"revision");', '"absent");'),
        ('"revision");', '"day2");'),
        ("BIGINT NOT NULL\n", "VARCHAR(9) NOT NULL\n"),
        ("`id` VARCHAR(8)", "`id` DOUBLE"),
        ("`id` VARCHAR(8)", "`id` VARCHAR(70000)"),
        ("`day` DATE", "`day` BLOB"),
        ("`day` DATE", "`id` DATE"),
        ("UNIQUE KEY", "DUPLICATE KEY"),
        ("BUCKETS 4", "BUCKETS ${buckets}"),
        ('"replication_num" = "1", ', '"replication" = "1", '),
        ("NOT NULL\n)", "NOT NULL,\n)"),
    ],
)
def test_what_doris_would_refuse_is_refused(old: str, new: str) -> None:
    assert old in DDL
    with pytest.raises(BadDdl):
        parse(DDL.replace(old, new))
