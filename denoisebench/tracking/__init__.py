"""Tell experiment trackers how a run goes: none unless asked for, offline unless told otherwise."""
