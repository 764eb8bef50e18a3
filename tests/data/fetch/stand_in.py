"""A stand-in, on this machine, for both archives: TCIA's getSingleImage and a bucket of IDC.

It serves what a test puts into it, and fails as it is told to.
"""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

BUCKET = "idc-open-data"
ENTRY = '<Contents><Key>{key}</Key><ETag>"{tag}"</ETag><Size>{size}</Size></Contents>'
LISTING = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{}</ListBucketResult>'
)


class StandIn:
    """What is served, and what goes wrong.

    Attributes:
        files: bytes by key: a SOPInstanceUID, or folder/name of a bucket.
        faults: by key, or "listing": what goes wrong at each request in turn. "cut" (half of what
            was promised), "cut chunked", "trickle" (a byte at a time), "silent", a status, or
            other bytes.
        tags: ETags that are no MD5, by key.
        asked: each request's path and headers.
        pause: seconds before each answer, and in the middle of it.
        page: entries of a listing's page.
        ranges: whether a part of a file can be asked for.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, Iterator[Any]] = {}
        self.tags: dict[str, str] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.pause = 0.0
        self.page = 1000
        self.ranges = True
        self.url = ""
        self.over = threading.Event()

    def fault(self, key: str) -> Any:
        return next(self.faults.get(key, iter(())), None)

    def listing(self, query: dict[str, list[str]]) -> bytes:
        keys = sorted(key for key in self.files if key.startswith(query["prefix"][0]))
        start = int(query.get("continuation-token", ["0"])[0])
        end = start + self.page
        parts = [
            ENTRY.format(
                key=key,
                size=len(self.files[key]),
                tag=self.tags.get(key, hashlib.md5(self.files[key]).hexdigest()),
            )
            for key in keys[start:end]
        ]
        if end < len(keys):
            parts.append(f"<NextContinuationToken>{end}</NextContinuationToken>")
        return LISTING.format("".join(parts)).encode()

    def requests(self, text: str = "") -> int:
        """Return how many requests had that in their path."""
        return sum(text in path for path, _ in self.asked)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: StandIn

    def do_GET(self) -> None:
        state, parts = self.state, urlsplit(self.path)
        state.asked.append((self.path, dict(self.headers)))
        time.sleep(state.pause)
        query = parse_qs(parts.query)
        key = query.get("SOPInstanceUID", [parts.path.removeprefix(f"/{BUCKET}/")])[0]
        content = state.files.get(key)
        if "list-type" in query:
            key, content = "listing", state.listing(query)
        fault = state.fault(key)
        if isinstance(fault, bytes):
            content, fault = fault, None
        if isinstance(fault, int) or content is None:
            self.send_response(fault or 404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        span = self.headers["Range"]
        content = content[: int(span.rpartition("-")[2]) + 1] if span and state.ranges else content
        self.send_response(206 if span and state.ranges else 200)
        if fault == "cut chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(content) // 2, content[: len(content) // 2]))
            self.close_connection = True
            return
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        try:
            if fault == "cut":
                content = content[: len(content) // 2]
                self.close_connection = True
            if fault in ("trickle", "silent"):
                self.trickle(content if fault == "trickle" else b"")
                return
            half = len(content) // 2 if state.pause else 0
            self.wfile.write(content[:half])
            time.sleep(state.pause)
            self.wfile.write(content[half:])
        except OSError:  # the other side had enough
            self.close_connection = True

    def trickle(self, content: bytes) -> None:
        self.close_connection = True
        for byte in content:
            if self.state.over.wait(0.01):
                return
            self.wfile.write(bytes([byte]))
        self.state.over.wait(10)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """Say nothing of connections that the other side left."""


@contextmanager
def serving() -> Iterator[StandIn]:
    """Serve until the block ends."""
    state = StandIn()
    handler = type("Served", (Handler,), {"state": state})
    with Server(("127.0.0.1", 0), handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield state
        state.over.set()
        server.shutdown()
