"""The monitor: tells central IT over MQTT how this box is. Telemetry only; nothing depends on it."""
