"""Principals, permissions and secrets; used by engine and admin alike."""
