"""From a sink's options to the library's own settings; secrets are read here, when they are needed."""

from __future__ import annotations

from typing import Any

from appliance.kafka_connection import producer
from appliance.kafka_connection.faults import KafkaFault
from appliance.kafka_connection.settings import Cluster
from appliance.sync.sinks.contract import Misconfigured
from appliance.sync.sinks.kafka_options import KafkaOptions


def producer_configs(options: KafkaOptions) -> dict[str, Any]:
    """Return KafkaProducer's settings. Raises Misconfigured for a file that cannot be used."""
    cluster = Cluster(
        options.bootstrap_servers,
        options.security,
        options.sasl_mechanism,
        options.username,
        options.password_file,
        options.tls_ca,
        options.tls_certificate,
        options.tls_key,
        options.client_id,
    )
    try:
        return producer.producer_configs(
            cluster, delivery_timeout=options.delivery_timeout, compression=options.compression
        )
    except KafkaFault as fault:
        raise Misconfigured(fault.message, hint=fault.hint) from None
