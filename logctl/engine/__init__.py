"""The broker engine: a deterministic core (log, quorum, controller, broker) in thin shells (node, server)."""
