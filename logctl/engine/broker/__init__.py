"""Answering requests: dispatch, replicas, waiting, and one handler file per API."""
