"""One file per API: its request and response, all valid versions, the meaning beside each field."""
