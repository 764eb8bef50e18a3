"""Results that share a key, ranked and rendered."""
