"""A run as one file that somebody else can check and merge: no pixels, no patient data."""
