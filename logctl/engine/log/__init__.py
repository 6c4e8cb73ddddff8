"""One partition's history on disk, in Apache Kafka's own formats."""
