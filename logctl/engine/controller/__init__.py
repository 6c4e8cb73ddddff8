"""What the cluster has agreed: decide(request, image) -> records, replay(record) -> image."""
