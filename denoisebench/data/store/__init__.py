"""Prepared data: HU in memory-mapped shards with an index, so that any amount of it opens at once.

A folder:
    index.npy: a row a slice (`layout.INDEX`), those of train first, then val, then test.
    thumbnails.npy: (N, 16, 16) int16, in the index's order, for finding copies.
    shard-00000.npy …: HU as int16, one slice after the other.
    prepared.json: what it is; written last.

It holds pseudonyms where the files held patients, and no path, date or UID of theirs.
"""
