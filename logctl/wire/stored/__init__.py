"""Messages that are kept rather than sent, one file per kind: records of the metadata log, of the coordinators' topics
and of control batches, small state files, and what clients embed in group messages. `framing` says how each is wrapped.

Numbered lines in a file's docstring say what a version added.
"""
