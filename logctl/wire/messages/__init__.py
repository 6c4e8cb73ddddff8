"""One file per API: request, response and the structs inside them, every version, with the meaning beside each field.

Numbered lines in a file's docstring say what a version added; versions that are not listed changed nothing on the wire
(often only which error codes may come back). "Flexible" is KIP-482: compact lengths and tagged fields. A meaning that
does not fit behind its field stands above it. "topic, up to 12" is said of a field that later versions lack.
"""
