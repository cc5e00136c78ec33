"""How this program connects to Kafka: TLS, login, and what a broker's refusal means."""
