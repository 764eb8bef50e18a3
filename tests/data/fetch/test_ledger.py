"""What a ledger keeps through deaths and damage."""

from denoisebench.data.fetch.ledger import NAME, Entry, Ledger

GOOD = "path,bytes,pixel_sha256,set_aside\na/1.dcm,4," + 64 * "a" + ",\n"


def test_a_line_that_was_left_half_is_dropped_and_the_file_is_whole_again(tmp_path):
    (tmp_path / NAME).write_text(GOOD + "a/2.dcm,4,,not CT: mod")
    assert list(Ledger(tmp_path).entries) == ["a/1.dcm"]
    assert (tmp_path / NAME).read_text() == GOOD


def test_what_is_no_line_of_a_ledger_is_dropped(tmp_path):
    (tmp_path / NAME).write_text(GOOD + 'x\n"\0,,,\na/3.dcm,many,,\n')
    assert list(Ledger(tmp_path).entries) == ["a/1.dcm"]


def test_only_files_of_the_size_that_was_checked_stand(tmp_path):
    ledger = Ledger(tmp_path)
    (tmp_path / "a").mkdir()
    entries = [Entry(f"a/{number}.dcm", 4, 64 * "a", "") for number in range(3)]
    ledger.add(entries)
    (tmp_path / "a/0.dcm").write_bytes(b"four")
    (tmp_path / "a/1.dcm").write_bytes(b"three")
    assert Ledger(tmp_path).standing("a") == entries[:1]
    assert Ledger(tmp_path).standing("a/1.dcm") == []
    assert not Ledger(tmp_path).stands("b")


def test_an_empty_folder_gets_no_ledger_before_its_first_file(tmp_path):
    Ledger(tmp_path)
    assert list(tmp_path.iterdir()) == []
