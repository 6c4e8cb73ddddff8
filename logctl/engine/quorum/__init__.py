"""Who leads the metadata log: a pure step/tick machine by KRaft's rules."""
