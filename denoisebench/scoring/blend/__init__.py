"""Networks between two others: weights (1 - w) · first + w · second, scored as any other row."""
