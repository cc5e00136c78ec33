"""The table `mqtt`: where this box reports how it is."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from appliance.config.kinds import CredentialFile, Port, Seconds, Size
from appliance.config.section import Section

# Wildcards and empty levels would name other topics than meant.
TopicPrefix = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$", max_length=128)]
BrokerHost = Annotated[str, StringConstraints(max_length=255, pattern=r"^([0-9A-Za-z:_%-]+(\.[0-9A-Za-z:_%-]+)*)?$")]


class MqttSection(Section):
    """The report to central IT. Nothing depends on it."""

    host: BrokerHost = ""
    """Address of the MQTT broker; empty means that this box reports nowhere."""

    port: Port = 8883
    """TCP port of the broker. The connection is always TLS."""

    tls_ca: CredentialFile | None = None
    """PEM file with the authorities that the broker's certificate must come from; unset means the system's."""

    tls_certificate: CredentialFile | None = None
    """PEM file with this box's own certificate, where the broker asks for one."""

    tls_key: CredentialFile | None = None
    """PEM file with its private key, unencrypted, readable by the service alone."""

    username: str = ""
    """Name to log in with, where the broker goes by names and not by certificates."""

    password_file: CredentialFile | None = None
    """File with the password and nothing else."""

    keepalive: int = Field(default=30, ge=1, le=65535)
    """Seconds without a word after which broker and box ask whether the other is there."""

    will_delay: Size = 15
    """Seconds the broker waits, once the box has gone, before it tells everybody that it is lost."""

    health_seconds: Seconds = 60
    """Seconds between reports of numbers."""

    topic_prefix: TopicPrefix = "edge/v1"
    """What the topics begin with; `site.id` and the report's name follow."""

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together; set both or none")
        return self

    @model_validator(mode="after")
    def _password_has_its_name(self) -> Self:
        if self.password_file is not None and not self.username:
            raise ValueError("password_file needs username")
        return self
