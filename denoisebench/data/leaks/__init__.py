"""Slices that are copies of one another, though their files and names differ.

Found: copies that were renamed, re-encoded without loss, shifted by ± 1 HU, padded otherwise,
rescaled, flipped or turned by quarters, cropped by a pixel or two, resampled to half the matrix,
annotated in a corner, or compressed 10:1 by JPEG 2000 and decompressed again. Not promised: copies
moved inside the same matrix, windowed, off by more than 2 HU, with noise added, reconstructed anew.

`candidates` compares all pairs of thumbnails; `confirm` looks at both slices. Their limits stand
between what `benchmarks/leaks.py` measured on 185 slices of 45 patients of nine public collections,
on 192 slices of the phantom, and on every slice of six scans, 2.5 to 10 mm apart:

| | thumbnails differ by, HU | the body differs by, of a step between cells |
|---|---|---|
| copies ± 1 HU, or rounded to even HU | at most 1 | at most 0.11 |
| copies cropped by 1 or 2 pixels | at most 22 | 0 |
| copies at half the matrix | at most 2 | at most 0.06 |
| copies in JPEG 2000 at 10:1; at 20:1 | at most 0.4; 1.2 | at most 0.08; 0.19 |
| next slices of one scan; third from it | from 10; from 24 | from 0.70; from 1.57 |
| nearest slices of two patients | from 60 | from 6.3 |
"""

from denoisebench.data.leaks.copies import Copy, near_copies
from denoisebench.data.leaks.means import SIDE, thumbnail

__all__ = ["SIDE", "Copy", "near_copies", "thumbnail"]
