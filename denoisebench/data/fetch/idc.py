"""The Imaging Data Commons: whole series, and slices of them, from its public buckets.

Its index is a package, `idc-index-data`, the data of `idc-index`: it says in which folder of which
bucket a series is. A listing of the folder gives names, sizes and MD5. The index is asked here by
itself, by DuckDB: `idc_index.IDCClient` keeps all of it in 1.7 GB of memory, and its downloads tell
failures to a log only and compare no digest.
"""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from urllib.parse import urlencode
from xml.etree import ElementTree

from denoisebench.data.fetch.known import Known, Row
from denoisebench.data.fetch.transfer import CONNECTIONS, Lost, Transfer
from denoisebench.data.fetch.wanted import Files, Wanted, place
from denoisebench.errors import Unavailable

URL = "https://{bucket}.s3.amazonaws.com"
INDEX = "25.0.5"  # the version that the manifests were made from
KEY = re.compile(r"[0-9A-Za-z-]+/([A-Za-z0-9][A-Za-z0-9._-]*\.dcm)")
MD5 = re.compile("[0-9a-f]{32}")
S3 = "{http://s3.amazonaws.com/doc/2006-03-01/}"
HEAD_BYTES = 4096  # a file's first elements, its SOPInstanceUID among them, take some 400
MOST_FILES = 20_000  # of a series


@dataclass(frozen=True)
class Listed:
    """A file of a bucket's folder; `md5` is "" for one that was sent there in parts."""

    name: str
    url: str
    size: int
    md5: str


def series(rows: Sequence[Row], facts: Known, transfer: Transfer, url: str | None) -> Files:
    """Return what says which files a series has.

    Args:
        rows: that will be asked for.
        facts: their data set.
        transfer: asks for listings.
        url: of a mirror's buckets; {bucket} stands for a bucket's name.

    Raises:
        Unavailable: the index that is installed says otherwise of a series than the manifest.
    """
    folders = bucket_folders(rows, facts, url)

    def files(row: Row) -> list[Wanted]:
        listed = list_folder(folders[row.series_uid], transfer)
        count, size = len(listed), sum(item.size for item in listed)
        if (count, size) != (row.slices, row.bytes):
            raise Lost(
                f"the archive lists {count} files of {size} bytes; "
                f"known are {row.slices} of {row.bytes}"
            )
        return [_wanted(row, f"{place(row)}/{item.name}", item) for item in listed]

    return files


def slices(rows: Sequence[Row], facts: Known, transfer: Transfer, url: str | None) -> Files:
    """Return what says where a slice is: its series' files are looked into for its UID.

    No index that is small enough for a package knows single slices, so the first bytes of each
    file of a series are asked for until all slices that are wanted of it are found.
    """
    folders = bucket_folders(rows, facts, url)
    uids: dict[str, set[str]] = {}
    for row in rows:
        uids.setdefault(row.series_uid, set()).add(row.sop_uid)
    found: dict[str, dict[str, Listed]] = {}

    def files(row: Row) -> list[Wanted]:
        uid = row.series_uid
        if uid not in found:
            found[uid] = find_slices(folders[uid], uids[uid], transfer)
        if row.sop_uid not in found[uid]:
            raise Lost("the archive's series has no such slice")
        return [_wanted(row, place(row), found[uid][row.sop_uid])]

    return files


def _wanted(row: Row, path: str, item: Listed) -> Wanted:
    return Wanted(
        path, item.url, row.patient, row.series_uid, row.digest, item.size, item.md5
    )  # fmt: skip


def bucket_folders(rows: Sequence[Row], facts: Known, url: str | None) -> dict[str, str]:
    """Return the URL of each row's series' folder, by the index that is installed.

    Raises:
        Unavailable: the index has no such series, or another patient, licence, DOI, number of
            slices or size of it.
    """
    import duckdb
    from idc_index_data import IDC_INDEX_PARQUET_FILEPATH

    found = duckdb.execute(
        "SELECT SeriesInstanceUID, aws_bucket, crdc_series_uuid, PatientID, license_short_name,"
        " lower(source_DOI), instanceCount, round(series_size_MB * 1e6)::BIGINT"
        " FROM read_parquet(?) WHERE SeriesInstanceUID IN (SELECT unnest(?))",
        [str(IDC_INDEX_PARQUET_FILEPATH), list({row.series_uid for row in rows})],
    ).fetchall()
    index = {uid: rest for uid, *rest in found}
    terms = {item.name: [item.licence, item.doi.lower()] for item in facts.collections}
    for row in rows:
        expected: list[object] = [row.patient, *terms[row.collection]]
        expected += [] if row.sop_uid else [row.slices, row.bytes]
        if index.get(row.series_uid, [])[2 : 2 + len(expected)] != expected:
            raise Unavailable(
                f"IDC's index {version('idc-index-data')} says otherwise of series "
                f"{row.series_uid} than the manifest of {facts.name}, which is of {INDEX}: "
                f"pip install idc-index-data=={INDEX}"
            )
    base = (url or URL).rstrip("/")
    return {
        uid: f"{base.replace('{bucket}', bucket)}/{folder}"
        for uid, (bucket, folder, *_) in index.items()
    }


def list_folder(folder: str, transfer: Transfer) -> list[Listed]:
    """Return the files of a bucket's folder, by its URL.

    Raises:
        Lost: the listing cannot be had or read, or names something else than DICOM files.
        Away: the archive cannot be reached.
    """
    bucket, _, prefix = folder.rpartition("/")
    listed: list[Listed] = []
    token = ""
    while True:
        asked = {"list-type": "2", "prefix": f"{prefix}/"}
        asked |= {"continuation-token": token} if token else {}
        tree = _xml(transfer.page(f"{bucket}/?{urlencode(asked)}"))
        listed += [_listed(entry, bucket) for entry in tree.iter(f"{S3}Contents")]
        token = tree.findtext(f"{S3}NextContinuationToken") or ""
        if not token or len(listed) > MOST_FILES:
            return listed


def _xml(page: bytes) -> ElementTree.Element:
    try:
        if b"<!DOCTYPE" in page:  # no listing has one, and entities that grow need one
            raise ValueError
        return ElementTree.fromstring(page)
    except (ValueError, ElementTree.ParseError):
        raise Lost("the archive's listing of it cannot be read") from None


def _listed(entry: ElementTree.Element, bucket: str) -> Listed:
    key = entry.findtext(f"{S3}Key") or ""
    size = entry.findtext(f"{S3}Size") or ""
    tag = (entry.findtext(f"{S3}ETag") or "").strip('"')
    name = KEY.fullmatch(key)
    if name is None or not size.isdecimal():
        raise Lost("the archive lists something else than DICOM files in it")
    return Listed(name[1], f"{bucket}/{key}", int(size), tag if MD5.fullmatch(tag) else "")


def find_slices(folder: str, uids: set[str], transfer: Transfer) -> dict[str, Listed]:
    """Return which files of a folder are the slices of these SOPInstanceUIDs.

    Bytes are searched, not parsed: whatever they hold, the worst is that a wrong file comes, and
    its pixels tell.
    """
    any_uid = b"|".join(re.escape(uid.encode()) for uid in uids)
    pattern = re.compile(rb"(?<![0-9.])(%s)(?![0-9.])" % any_uid)
    listed = list_folder(folder, transfer)
    found: dict[str, Listed] = {}
    with ThreadPoolExecutor(CONNECTIONS, "look") as pool:
        heads = pool.map(lambda item: transfer.head(item.url, HEAD_BYTES), listed)
        try:
            for item, head in zip(listed, heads, strict=True):
                if uid := pattern.search(head):
                    found[uid[1].decode()] = item
                if found.keys() == uids:
                    break
        finally:
            pool.shutdown(cancel_futures=True)
    return found
