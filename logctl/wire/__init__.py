"""The Kafka protocol, without I/O: bytes to messages and back. Both halves of logctl meet here."""
