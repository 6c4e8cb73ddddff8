"""Another shell for the engine: seeded clock, disk and network, and the invariants they are held against."""
