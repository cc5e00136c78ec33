"""A whole centre on one machine: real Kafka, PostgreSQL and nginx, the Doris double, receiver, loader, and boxes."""
