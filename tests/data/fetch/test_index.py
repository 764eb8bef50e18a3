"""What the index of the Imaging Data Commons says of the data sets here; no network is asked."""

import re
from dataclasses import replace
from importlib.metadata import version

import pytest

from denoisebench import Unavailable
from denoisebench.data.fetch import idc, known

duckdb = pytest.importorskip("duckdb", reason="the extra fetch is not installed")
index = pytest.importorskip("idc_index_data", reason="the extra fetch is not installed")


def ask(query, *given):
    table = f"read_parquet('{index.IDC_INDEX_PARQUET_FILEPATH}')"
    return duckdb.execute(query.format(index=table), list(given)).fetchall()


def test_ct_lymph_nodes_is_all_ct_of_its_collection():
    (facts,) = ask(
        "SELECT count(DISTINCT PatientID), count(*), sum(instanceCount),"
        " sum(round(series_size_MB * 1e6))::BIGINT, list(DISTINCT license_short_name),"
        " list(DISTINCT source_DOI) FROM {index}"
        " WHERE collection_id = 'ct_lymph_nodes' AND Modality = 'CT'"
    )
    known_facts, rows = known.choose("ct-lymph-nodes")
    assert facts == (
        176, 176, 110_003, 57_794_974_010, ["CC BY 3.0"], ["10.7937/k9/tcia.2015.aqiidcnm"]
    )  # fmt: skip
    assert facts[:4] == (
        known_facts.patients, len(rows), known_facts.slices, known_facts.bytes
    )  # fmt: skip


def test_the_index_knows_a_folder_of_each_series():
    facts, rows = known.choose("ct-lymph-nodes")
    folders = idc.bucket_folders(rows, facts, None)
    assert folders.keys() == {row.series_uid for row in rows}
    uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    place = re.compile(rf"https://idc-open-data\.s3\.amazonaws\.com/{uuid}")
    assert all(place.fullmatch(folder) for folder in folders.values())
    assert len(set(folders.values())) == 176


def test_a_mirror_may_name_buckets_in_its_path():
    facts, rows = known.choose("tcia-mini")
    folders = idc.bucket_folders(rows, facts, "https://storage.googleapis.com/{bucket}/")
    assert len(folders) == 104
    start = "https://storage.googleapis.com/idc-open-data/"
    assert all(folder.startswith(start) for folder in folders.values())


def test_each_series_of_tcia_mini_has_the_same_licence_and_doi_there():
    facts, rows = known.choose("tcia-mini")
    terms = {item.name: (item.licence, item.doi.lower()) for item in facts.collections}
    series = {row.series_uid: (row.patient, *terms[row.collection]) for row in rows}
    found = ask(
        "SELECT SeriesInstanceUID, PatientID, license_short_name, lower(source_DOI) FROM {index}"
        " WHERE SeriesInstanceUID IN (SELECT unnest(?))",
        list(series),
    )
    assert {uid: tuple(rest) for uid, *rest in found} == series
    assert len(series) == 104


@pytest.mark.parametrize(
    "change", [{"slices": 523}, {"bytes": 1}, {"patient": "X"}, {"series_uid": "1.2.3"}]
)
def test_an_index_that_says_otherwise_is_refused_by_version(change):
    facts, rows = known.choose("ct-lymph-nodes", 3)
    other = (replace(rows[0], **change), *rows[1:])
    told = rf"IDC's index {version('idc-index-data')} says otherwise of series"
    with pytest.raises(Unavailable, match=told):
        idc.bucket_folders(other, facts, None)


def test_another_licence_than_the_manifests_is_refused():
    facts, rows = known.choose("ct-lymph-nodes", 3)
    (collection,) = facts.collections
    changed = facts.model_copy(
        update={"collections": (collection.model_copy(update={"licence": "CC BY 4.0"}),)}
    )
    with pytest.raises(Unavailable, match="says otherwise"):
        idc.bucket_folders(rows, changed, None)
