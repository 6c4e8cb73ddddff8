"""The records that Apache Kafka keeps in the metadata log, in internal topics and in snapshot files."""
