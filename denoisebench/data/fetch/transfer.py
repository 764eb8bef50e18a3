"""One file over HTTP, whole or not at all: tried again with growing pauses, bounded in time.

No name, password or token is ever sent, not even one that a `.netrc` holds for the host.
"""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.exceptions import (
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)
from urllib3.util.retry import Retry

from denoisebench import atomic

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 30.0  # without a byte
FILE_SECONDS = 300.0  # in all: a server that trickles never falls silent
PAUSE_SECONDS = 0.5  # the second retry waits twice as long, and each one after it twice again
LONGEST_PAUSE_SECONDS = 60  # whatever the archive asks for
RETRIES = 4
CONNECTIONS = 8
LARGEST = 64 << 20  # bytes of a file of which nothing is promised; a slice has half a MiB
LARGEST_PAGE = 16 << 20
CHUNK = 1 << 16
BUSY = frozenset({429, 500, 502, 503, 504})

Taken = TypeVar("Taken")


class Lost(Exception):
    """One file could not be had; the message is the reason."""


class Away(Exception):
    """The archive cannot be reached at all; the message is the reason."""


class Transfer:
    """Connections to an archive, shared by threads.

    Attributes:
        stopped: set it, and transfers under way end with `Lost`.
    """

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.session = requests.Session()
        self.session.trust_env = False  # it would send what .netrc holds
        self.session.headers.update(
            {"User-Agent": f"denoisebench/{version('denoisebench')}", "Accept-Encoding": "identity"}
        )
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS, max_retries=0))

    def close(self) -> None:
        """End what is under way, and the connections."""
        self.stopped.set()
        self.session.close()

    def save(self, url: str, path: Path, *, size: int = 0, md5: str = "") -> None:
        """Write what `url` sends to `path`; after a failure there is no such file.

        Args:
            url: of http or https.
            path: of a file that is replaced.
            size: in bytes, where it is known, else 0.
            md5: of the bytes in hex, where it is known, else "".

        Raises:
            Lost: the archive has no such file, or did not send all of it, or sent another.
            Away: the archive cannot be reached.
            Unavailable: the disk cannot be written to.
        """

        def take(answer: requests.Response) -> None:
            self._write(answer, path, size, md5)

        try:
            with atomic.told(path):
                self._try(url, take)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def page(self, url: str) -> bytes:
        """Return a short answer; raises as `save` does."""
        return self._try(url, lambda answer: b"".join(self._body(answer, LARGEST_PAGE)))

    def head(self, url: str, count: int) -> bytes:
        """Return a file's first `count` bytes, or all of a shorter one; raises as `save` does."""

        def take(answer: requests.Response) -> bytes:
            here = b""
            for chunk in self._body(answer, LARGEST):
                here += chunk
                if len(here) >= count:  # of a server that sends all of it, whatever was asked
                    break
            return here[:count]

        return self._try(url, take, {"Range": f"bytes=0-{count - 1}"})

    def _try(
        self,
        url: str,
        take: Callable[[requests.Response], Taken],
        headers: Mapping[str, str] | None = None,
    ) -> Taken:
        retries = Retry(
            RETRIES,
            backoff_factor=PAUSE_SECONDS,
            backoff_jitter=PAUSE_SECONDS,
            retry_after_max=LONGEST_PAUSE_SECONDS,
        )
        while True:
            answer = None
            try:
                with self._ask(url, headers) as answer:
                    if answer.status_code == 200 or (headers and answer.status_code == 206):
                        return take(answer)
                    reason: Exception = Lost(f"the archive answers {answer.status_code}")
                    if answer.status_code not in BUSY:
                        raise reason
            except (requests.RequestException, HTTPError) as problem:
                reason = _reason(problem, urlsplit(url).hostname or url)
            try:
                retries = retries.increment("GET", url, error=ProtocolError())
            except MaxRetryError:
                raise reason from None
            if self.stopped.is_set():
                raise reason
            retries.sleep(answer.raw if answer is not None else None)  # it may say Retry-After

    def _ask(self, url: str, headers: Mapping[str, str] | None = None) -> requests.Response:
        certificates = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
        return self.session.get(
            url,
            headers=headers,
            stream=True,
            timeout=(CONNECT_SECONDS, SILENCE_SECONDS),
            proxies=dict(get_environ_proxies(url)),
            verify=certificates or True,
        )

    def _write(self, answer: requests.Response, path: Path, size: int, md5: str) -> None:
        digest, here = hashlib.md5(usedforsecurity=False), 0
        with open(path, "wb") as file:
            for chunk in self._body(answer, size or LARGEST):
                digest.update(chunk)
                here += len(chunk)
                file.write(chunk)
        if size and here != size:
            raise ProtocolError(f"cut off after {here} of {size} bytes")
        if md5 and digest.hexdigest() != md5:
            raise Lost("its bytes have another MD5 than the archive says")

    def _body(self, answer: requests.Response, most: int) -> Iterator[bytes]:
        """Yield the body's bytes as they come; a read of its own would wait for a full chunk."""
        deadline, here = time.monotonic() + FILE_SECONDS, 0
        promised = int(answer.headers.get("Content-Length") or 0)
        while chunk := answer.raw.read1(CHUNK):
            here += len(chunk)
            if here > most:
                raise Lost(f"more than the {most} bytes that it can have")
            if time.monotonic() > deadline:
                raise Lost(f"too slow: {here} bytes in {FILE_SECONDS:g} s")
            if self.stopped.is_set():
                raise Lost("stopped")
            yield bytes(chunk)
        if here < promised:
            raise ProtocolError(f"cut off after {here} of {promised} bytes")


def _reason(problem: Exception, host: str) -> Lost | Away:
    """Say in a few words what went wrong on the way, without objects' addresses."""
    inner = problem.args[0] if problem.args else None
    cause = inner.reason if isinstance(inner, MaxRetryError) else inner
    below = cause.__cause__ if isinstance(cause, NewConnectionError) else None
    if isinstance(cause, NewConnectionError):
        said = below.strerror if isinstance(below, OSError) else None
        return Away(f"{host}: {said or 'its name is not known here'}")
    if isinstance(problem, requests.exceptions.ProxyError):
        return Away(f"{host}: the proxy cannot be reached")
    if isinstance(problem, requests.exceptions.SSLError):
        return Away(f"{host}: its certificate is not trusted")
    if isinstance(problem, requests.exceptions.ConnectTimeout):
        return Away(f"{host}: no answer in {CONNECT_SECONDS:g} s")
    if isinstance(problem, ValueError):  # an URL that is none
        return Away(f"{host}: not a URL of http or https")
    if isinstance(problem, requests.exceptions.Timeout | ReadTimeoutError):
        return Lost(f"no byte in {SILENCE_SECONDS:g} s")
    if isinstance(inner, str) and inner.startswith("cut off"):
        return Lost(inner)
    return Lost("the connection was cut")
