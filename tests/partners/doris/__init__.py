"""A stand-in for Apache Doris: Stream Load as its documents and sources tell it. It imports nothing of the appliance.

A real Doris needs more machine than tests have, so this is no proof about one. What it keeps: a frontend and a
backend on sockets of their own, the redirect with its credentials before the body, types, NOT NULL, byte lengths and
key models from the real CREATE TABLE statements, all or nothing per load, labels that expire, transactions that
outlive their client, and the four statuses with 200 as the HTTP status of failures. What it lacks: SQL, replicas,
partitions, compaction, CSV, expressions in `columns`, jsonpaths, group commit; whatever it lacks, it refuses.
"""
