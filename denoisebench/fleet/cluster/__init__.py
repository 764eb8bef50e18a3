"""Sweeps on Ray: several jobs at once here, or on the machines of a cluster."""
