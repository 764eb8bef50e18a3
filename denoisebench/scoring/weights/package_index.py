"""Fetch one file of known digest from the package index that pip is set up for.

pip itself would build the package's metadata, that is, run its code; reading the index's page and
streaming the file does not.
"""

import ast
import base64
import hashlib
import json
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from http.client import HTTPException
from typing import IO
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit
from urllib.request import Request, url2pathname, urlopen

from denoisebench.errors import Unavailable

DEFAULT_INDEX = "https://pypi.org/simple"
ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"
TIMEOUT_SECONDS = 60
PAGE_LIMIT = 4 << 20
CHUNK = 1 << 20

Progress = Callable[[int, int], None]
"""Called with the bytes that are here and the bytes that there are."""


@dataclass(frozen=True)
class Archive:
    """A file on a package index: project, file name, size in bytes, SHA-256 in hex."""

    project: str
    file: str
    size: int
    sha256: str


def stream(archive: Archive, into: IO[bytes], progress: Progress | None = None) -> None:
    """Write the archive to `into`, checking size and digest on the way.

    Raises:
        Unavailable: no index could be reached, none has the file, the connection was cut, or what
            came is not what is known. `into` then holds part of something and is to be discarded.
    """
    settings = pip_settings()
    failures = []
    for index in indexes(settings):
        page = f"{index.rstrip('/')}/{archive.project}/"
        try:
            url = link(page, archive.file, settings)
            into.seek(0)  # a failed try wrote no more bytes than this one will
            receive(url, archive, into, settings, page, progress)
            return
        except (OSError, HTTPException, ValueError) as reason:
            failures.append(f"{shown(index)}: {reason or type(reason).__name__}")
    raise Unavailable(
        f"{archive.file} cannot be fetched ({'; '.join(failures)}); check the connection, or set "
        "PIP_INDEX_URL to an index that has it"
    )


def receive(
    url: str,
    archive: Archive,
    into: IO[bytes],
    settings: dict[str, str],
    page: str,
    progress: Progress | None,
) -> None:
    """Copy what `url` sends; ValueError unless it is the archive to the last byte."""
    digest, here = hashlib.sha256(), 0
    with opened(url, settings, beside=page) as answer:
        while chunk := answer.read(CHUNK):
            here += len(chunk)
            if here > archive.size:
                raise ValueError(f"more than the {archive.size} bytes of {archive.file}")
            digest.update(chunk)
            into.write(chunk)
            if progress:
                progress(here, archive.size)
    if here != archive.size:
        raise ValueError(f"cut off after {here} of {archive.size} bytes")
    if digest.hexdigest() != archive.sha256:
        raise ValueError(f"SHA-256 is {digest.hexdigest()}, not {archive.sha256}")
    into.flush()


def link(page: str, file: str, settings: dict[str, str]) -> str:
    """Return where the index's page of a project says that `file` is (PEP 503, PEP 691)."""
    with opened(page, settings, beside=page) as answer:
        text = answer.read(PAGE_LIMIT).decode("utf-8", errors="replace")
    if text.lstrip().startswith("{"):
        try:
            entries = json.loads(text)["files"]
            links = [str(entry["url"]) for entry in entries if entry["filename"] == file]
        except (KeyError, TypeError, RecursionError):
            raise ValueError("is no index that can be read") from None
    else:
        reader = Anchors()
        reader.feed(text)
        links = [href for href in reader.links if unquote(urlsplit(href).path).endswith(f"/{file}")]
    if not links:
        raise ValueError(f"has no {file}")
    return urldefrag(urljoin(page, links[0])).url


class Anchors(HTMLParser):
    """Collects the targets of a page's links."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Keep the target of a link."""
        self.links += [
            value for name, value in attributes if tag == "a" and name == "href" and value
        ]


def opened(url: str, settings: dict[str, str], *, beside: str) -> IO[bytes]:
    """Open a URL; the index's user and password go to the index's own host only."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        path = url2pathname(parts.path)
        return open(os.path.join(path, "index.html") if os.path.isdir(path) else path, "rb")
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"cannot read {shown(url)}")
    request = Request(shown(url), headers={"Accept": ACCEPT, "User-Agent": "denoisebench"})
    user = urlsplit(beside)
    if user.username and user.hostname == parts.hostname:
        secret = f"{unquote(user.username)}:{unquote(user.password or '')}".encode()
        # unredirected: urllib would hand a plain header on to whatever host it is sent to
        request.add_unredirected_header(
            "Authorization", f"Basic {base64.b64encode(secret).decode()}"
        )
    context = ssl.create_default_context()
    if certificate := settings.get("cert"):
        context.load_verify_locations(certificate)
    answer: IO[bytes] = urlopen(request, timeout=TIMEOUT_SECONDS, context=context)
    return answer


def shown(url: str) -> str:
    """Return a URL without user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def indexes(settings: dict[str, str]) -> Iterator[str]:
    """Yield the index that pip asks first, then the extra ones."""
    yield settings.get("index-url", DEFAULT_INDEX)
    yield from settings.get("extra-index-url", "").split()


def pip_settings() -> dict[str, str]:
    """Return what pip's files and environment say; empty where there is no pip.

    The command's own sections (`install`) and the environment win over `global`, as in pip.
    """
    # -P: no pip.py of the current folder
    asked = [sys.executable, "-P", "-m", "pip", "config", "list", "--disable-pip-version-check"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in told.splitlines():
        if found := re.fullmatch(r"(global|install|:env:)\.([a-z-]+)=(.*)", line):
            section, name, value = found.groups()
            sections[section][name] = str(ast.literal_eval(value))
    variables = {
        name.removeprefix("PIP_").lower().replace("_", "-"): value
        for name, value in os.environ.items()
        if name.startswith("PIP_")
    }
    return sections["global"] | sections["install"] | sections[":env:"] | variables
