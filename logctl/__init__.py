"""logctl: a durable log that speaks the Kafka protocol, and the suite that administers any cluster that does."""

__version__ = "0.1.0"
