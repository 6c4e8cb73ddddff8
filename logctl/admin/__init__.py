"""Intentions become plans, plans become observed change. Knows clusters only through the wire."""
