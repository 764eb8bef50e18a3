"""The archives, and where each of them has the files that a manifest names.

The Cancer Imaging Archive serves single slices by their UIDs (NBIA's REST interface, version 4, the
one that `tcia_utils` asks). The Imaging Data Commons keeps whole series as folders of public
buckets: its index, which is a package (`idc-index-data`), says which, and a listing of the folder
gives names, sizes and MD5. That index is asked here by itself: `idc_index.IDCClient` holds all of
it in 1.7 GB of memory, and its download reports failures to a log only and compares no digest.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from urllib.parse import urlencode
from xml.etree import ElementTree

from denoisebench.data.fetch.known import Known, Row
from denoisebench.data.fetch.transfer import Lost, Transfer
from denoisebench.errors import Unavailable

TCIA_URL = "https://nbia.cancerimagingarchive.net/nbia-api/services/v4"
IDC_URL = "https://{bucket}.s3.amazonaws.com"
FILE = re.compile(r"[0-9a-f-]+/([A-Za-z0-9][A-Za-z0-9._-]*\.dcm)")
MD5 = re.compile("[0-9a-f]{32}")
S3 = "{http://s3.amazonaws.com/doc/2006-03-01/}"


@dataclass(frozen=True)
class Wanted:
    """A file to fetch.

    Attributes:
        path: where it will stand, relative to the data set's folder.
        digest: of its HU, "" where the manifest does not know it.
        size, md5: of its bytes, 0 and "" where the archive does not say.
    """

    path: str
    url: str
    patient: str
    series_uid: str
    digest: str = ""
    size: int = 0
    md5: str = ""


Files = Callable[[Row], list[Wanted]]
"""Says which files a row of the manifest stands for; may ask the archive, and raise as it does."""


def place(row: Row) -> str:
    """Return where a row's slice or series stands in the folder: collection, patient, series."""
    parts = [row.collection.replace(" ", "-"), row.patient, row.series_uid]
    return "/".join([*parts, f"{row.sop_uid}.dcm"] if row.sop_uid else parts)


def open_archive(
    facts: Known, rows: Sequence[Row], transfer: Transfer, url: str | None = None
) -> Files:
    """Return what says where the files of a data set's rows are.

    Args:
        facts: the data set, which names its archive.
        rows: that will be asked for.
        transfer: asks the archive for listings.
        url: of a mirror with the same interface; {bucket} stands for a bucket's name.

    Raises:
        Unavailable: the installed index says something else of a series than the manifest.
    """
    if facts.archive == "tcia":
        base = (url or TCIA_URL).rstrip("/")
        return lambda row: [_slice(row, base)]
    folders = idc_folders(rows, facts)

    def listed(row: Row) -> list[Wanted]:
        bucket, folder = folders[row.series_uid]
        return list_series(row, (url or IDC_URL).format(bucket=bucket), folder, transfer)

    return listed


def _slice(row: Row, base: str) -> Wanted:
    uids = urlencode({"SeriesInstanceUID": row.series_uid, "SOPInstanceUID": row.sop_uid})
    return Wanted(
        path=place(row),
        url=f"{base}/getSingleImage?{uids}",
        patient=row.patient,
        series_uid=row.series_uid,
        digest=row.digest,
    )


def idc_folders(rows: Sequence[Row], facts: Known) -> dict[str, tuple[str, str]]:
    """Return bucket and folder of each row's series, from the index that is installed.

    Raises:
        Unavailable: it has no such series, or another number of slices, size, licence or DOI.
    """
    import duckdb
    from idc_index_data import IDC_INDEX_PARQUET_FILEPATH

    found = duckdb.execute(
        "SELECT SeriesInstanceUID, aws_bucket, crdc_series_uuid, PatientID, instanceCount,"
        " round(series_size_MB * 1e6)::BIGINT, license_short_name, lower(source_DOI)"
        " FROM read_parquet(?) WHERE SeriesInstanceUID IN (SELECT unnest(?))",
        [str(IDC_INDEX_PARQUET_FILEPATH), [row.series_uid for row in rows]],
    ).fetchall()
    index = {uid: rest for uid, *rest in found}
    terms = {item.name: (item.licence, item.doi.lower()) for item in facts.collections}
    for row in rows:
        known = [row.patient, row.slices, row.bytes, *terms[row.collection]]
        if row.series_uid not in index or index[row.series_uid][2:] != known:
            raise Unavailable(
                f"IDC's index {version('idc-index-data')} says otherwise of series "
                f"{row.series_uid} than the manifest of {facts.name}, which is that of 25.0.5: "
                "pip install idc-index-data==25.0.5"
            )
    return {uid: (bucket, folder) for uid, (bucket, folder, *_) in index.items()}


def list_series(row: Row, bucket_url: str, folder: str, transfer: Transfer) -> list[Wanted]:
    """Return the files of a series by a listing of its folder in the bucket.

    Raises:
        Lost: the listing cannot be had or read, or is not of as many files and bytes as known.
        Away: the archive cannot be reached.
    """
    wanted: list[Wanted] = []
    token = ""
    while True:
        asked = {"list-type": "2", "prefix": f"{folder}/"}
        asked |= {"continuation-token": token} if token else {}
        tree = _xml(transfer.page(f"{bucket_url}/?{urlencode(asked)}"))
        wanted += [_listed(row, bucket_url, entry) for entry in tree.iter(f"{S3}Contents")]
        token = tree.findtext(f"{S3}NextContinuationToken") or ""
        if not token or len(wanted) > row.slices:
            break
    count, size = len(wanted), sum(item.size for item in wanted)
    if (count, size) != (row.slices, row.bytes):
        raise Lost(
            f"the archive lists {count} files of {size} bytes; "
            f"known are {row.slices} of {row.bytes}"
        )
    return wanted


def _xml(page: bytes) -> ElementTree.Element:
    try:
        if b"<!DOCTYPE" in page:  # no listing has one; entities that grow need one
            raise ValueError
        return ElementTree.fromstring(page)
    except (ValueError, ElementTree.ParseError):
        raise Lost("the archive's listing of it cannot be read") from None


def _listed(row: Row, bucket_url: str, entry: ElementTree.Element) -> Wanted:
    key = entry.findtext(f"{S3}Key") or ""
    size = entry.findtext(f"{S3}Size") or ""
    tag = (entry.findtext(f"{S3}ETag") or "").strip('"')
    name = FILE.fullmatch(key)
    if name is None or not size.isdecimal():
        raise Lost("the archive lists something else than DICOM files in it")
    return Wanted(
        path=f"{place(row)}/{name[1]}",
        url=f"{bucket_url}/{key}",
        patient=row.patient,
        series_uid=row.series_uid,
        size=int(size),
        md5=tag if MD5.fullmatch(tag) else "",  # of files sent in parts it is no MD5
    )
