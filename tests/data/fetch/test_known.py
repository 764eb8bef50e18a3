"""The manifests: what they say of themselves, of the archives' index, and of the real slices."""

import csv
import hashlib
import re
from collections import Counter

import bibtexparser
import pytest

from denoisebench import UsageError
from denoisebench.data import split
from denoisebench.data.fetch import known
from denoisebench.data.fetch.beside import citations_of
from denoisebench.data.fetch.wanted import place

NAMES = known.names()


def test_two_data_sets_can_be_fetched():
    assert NAMES == ("ct-lymph-nodes", "tcia-mini")
    assert known.known("phantom") is None


@pytest.mark.parametrize("name", NAMES)
def test_a_manifest_holds_what_its_data_set_says(name):
    facts, rows = known.choose(name)
    assert facts.name == name
    assert sum(row.slices for row in rows) == facts.slices
    assert len({row.patient for row in rows}) == facts.patients
    assert {row.collection for row in rows} == {item.name for item in facts.collections}
    assert len({place(row) for row in rows}) == len(rows)
    assert all(re.fullmatch(r"[0-9.]{10,64}", row.series_uid) for row in rows)


@pytest.mark.parametrize("name", NAMES)
def test_no_patient_is_in_two_splits_and_no_split_is_empty(name):
    pairs = {(row.patient, row.split) for row in known.rows(name)}
    assert len(pairs) == len({patient for patient, _ in pairs})
    assert {each for _, each in pairs} == set(split.SPLITS)


@pytest.mark.parametrize("name", NAMES)
def test_each_collection_has_one_citation(name):
    facts, _ = known.choose(name)
    parsed = bibtexparser.parse_string(citations_of(facts))
    assert not parsed.failed_blocks
    dois = Counter(str(entry["doi"]) for entry in parsed.entries)
    archive = "10.1007/s10278-013-9622-7"
    assert dois == Counter([archive, *(item.doi for item in facts.collections)])
    assert all({"author", "title", "year"} <= entry.fields_dict.keys() for entry in parsed.entries)


def test_the_split_of_tcia_mini_is_its_rule():
    def by_rule(patient):
        digest = hashlib.sha256(f"denoisebench-tcia-mini-v38:{patient}".encode()).hexdigest()
        place = int(digest[:8], 16) / 2**32
        return "train" if place < 0.5 else "val" if place < 0.75 else "test"

    rows = known.rows("tcia-mini")
    assert [row.split for row in rows] == [by_rule(row.patient) for row in rows]


def test_the_split_of_ct_lymph_nodes_is_that_of_any_folder():
    rows = known.rows("ct-lymph-nodes")
    of = split.by_patient(row.patient for row in rows)
    assert {row.patient: row.split for row in rows} == of


def test_the_first_patients_are_the_same_for_everybody_and_fill_all_splits():
    _, first = known.choose("ct-lymph-nodes", 3)
    assert [row.patient for row in first] == ["ABD_LYMPH_041", "ABD_LYMPH_076", "ABD_LYMPH_058"]
    rows = known.rows("ct-lymph-nodes")
    for count in (3, 4, 10, 57, 176):
        _, chosen = known.choose("ct-lymph-nodes", count)
        assert chosen == rows[:count]
        splits = Counter(row.split for row in chosen)
        # one of each, then by fours: a half trains, a quarter validates, a quarter tests
        assert abs(splits["train"] - count / 2) <= 1
        assert abs(splits["val"] - splits["test"]) <= 1


@pytest.mark.parametrize(
    ("name", "patients", "told"),
    [
        ("tcia-mimi", None, "no public data set named 'tcia-mimi'; nearest: tcia-mini. All: ct-"),
        ("tcia-mini", 5, "tcia-mini is fetched whole; --patients is for sets of whole series"),
        ("ct-lymph-nodes", 177, "--patients 177: ct-lymph-nodes has 176 patients"),
    ],
)
def test_what_cannot_be_fetched_is_said_in_a_line(name, patients, told):
    with pytest.raises(UsageError, match=re.escape(told)):
        known.choose(name, patients)


def test_digests_of_tcia_mini_are_those_of_its_manifest():
    facts, rows = known.choose("tcia-mini")
    pixels = "\n".join(sorted(row.digest for row in rows))
    placed = "\n".join(sorted(f"{row.split} {row.digest}" for row in rows))
    assert facts.digest == hashlib.sha256(pixels.encode()).hexdigest()
    assert facts.split_digest == hashlib.sha256(placed.encode()).hexdigest()


def test_a_data_set_is_recognised_by_its_pixels_and_its_split():
    facts, _ = known.choose("tcia-mini")
    assert known.recognise(facts.digest, facts.split_digest) == "tcia-mini"
    assert known.recognise(facts.digest, "0" * 64) is None
    assert known.recognise("0" * 64, "0" * 64) is None


def test_a_folder_with_some_of_the_slices_resembles_a_data_set():
    digests = [row.digest for row in known.rows("tcia-mini")]
    assert known.resemble([*digests, "0" * 64]) == ("tcia-mini", 236, 236)
    assert known.resemble(digests[1:]) == ("tcia-mini", 235, 236)
    assert known.resemble(["0" * 64]) is None


def test_a_data_set_that_was_not_fetched_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("DENOISEBENCH_HOME", str(tmp_path))
    told = "^tcia-mini is not on this machine; denoisebench data fetch tcia-mini$"
    with pytest.raises(UsageError, match=told):
        known.fetched_folder("tcia-mini")
    folder = known.default_folder("tcia-mini")
    folder.mkdir(parents=True)
    (folder / "digests.csv").touch()
    with pytest.raises(UsageError, match="tcia-mini is on this machine in part only; denoise"):
        known.fetched_folder("tcia-mini")
    (folder / "manifest.csv").touch()
    assert known.fetched_folder("tcia-mini") == folder


def test_the_manifest_is_that_of_the_real_slices(ct_folder):
    with open(ct_folder / "manifest.csv", newline="") as file:
        real = list(csv.DictReader(file))
    columns = ("collection", "patient", "series_uid", "sop_uid", "split", "pixel_sha256")
    facts, rows = known.choose("tcia-mini")
    terms = {item.name: (item.licence, item.doi) for item in facts.collections}
    assert {tuple(line[name] for name in columns) for line in real} == {
        (row.collection, row.patient, row.series_uid, row.sop_uid, row.split, row.digest)
        for row in rows
    }
    assert {line["collection"]: (line["licence"], line["doi"]) for line in real} == terms
