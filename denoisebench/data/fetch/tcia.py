"""The Cancer Imaging Archive: single slices by their UIDs.

NBIA's REST interface, version 4, at the address that `tcia_utils` 3.3 asks; no key is needed for
public collections. The archive moves to the Imaging Data Commons, so this address may end.
"""

from urllib.parse import urlencode

from denoisebench.data.fetch.known import Row
from denoisebench.data.fetch.wanted import Files, Wanted, place

URL = "https://nbia.cancerimagingarchive.net/nbia-api/services/v4"


def slices(url: str | None) -> Files:
    """Return what says where a slice is; `url` is of a mirror with the same interface."""
    base = (url or URL).rstrip("/")

    def files(row: Row) -> list[Wanted]:
        uids = urlencode({"SeriesInstanceUID": row.series_uid, "SOPInstanceUID": row.sop_uid})
        return [
            Wanted(
                path=place(row),
                url=f"{base}/getSingleImage?{uids}",
                patient=row.patient,
                series_uid=row.series_uid,
                digest=row.digest,
            )
        ]

    return files
