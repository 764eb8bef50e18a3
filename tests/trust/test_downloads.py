"""Only `weights fetch` and `data fetch` ask for a connection; all else works without a network."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CODE = """
import socket, threading, urllib.request
{act}
"""


def test_only_the_fetch_was_refused_a_connection(journey):
    """All commands but `fetch` did their work; see also `test_the_afternoon_was_one_of_work`."""
    assert journey.refusals == ["socket.getaddrinfo 'pypi.org'"] * len(journey.refusals)
    assert len(journey.refusals) == 1


def test_a_fetch_without_a_network_fails_in_one_line_and_leaves_nothing(journey):
    fetch = journey.answers["fetch"]
    assert (fetch.code, fetch.out) == (1, "")
    assert len(fetch.err.strip().splitlines()) == 1
    assert "cannot be fetched" in fetch.err
    home = journey.written[1]
    assert list(home.rglob("*.safetensors")) == []
    assert [path for path in home.rglob("*weights*/*") if path.is_file()] == []


def test_where_the_system_can_there_was_no_network_at_all(journey):
    """What asks by C, past Python, finds none either."""
    if not journey.offline:
        pytest.skip("unshare -n is not allowed here; connections were refused in Python only")


@pytest.mark.parametrize(
    ("act", "seen"),
    [
        ("urllib.request.urlopen('https://example.org')", "getaddrinfo 'example.org'"),
        ("socket.create_connection(('127.0.0.1', 9))", "getaddrinfo '127.0.0.1'"),
        ("socket.socket().connect(('127.0.0.1', 9))", "connect ('127.0.0.1', 9)"),
        (
            "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))",
            "sendto ('192.0.2.1', 9)",
        ),
        (
            "import subprocess, sys; subprocess.run([sys.executable, '-c', "
            "'import socket; socket.create_connection((\"192.0.2.1\", 9))'], check=True)",
            "getaddrinfo '192.0.2.1'",
        ),
        (
            "import torch; torch.hub.load_state_dict_from_url('https://example.org/w', 'hub')",
            "getaddrinfo 'example.org'",
        ),
    ],
    ids=["urllib", "connection", "socket", "datagram", "child", "hub"],
)
def test_who_connects_is_seen(tmp_path, act, seen):
    """The control: the same refusal, for programs that do ask."""
    refusals = tmp_path / "refusals"
    environment = {**os.environ, "REFUSALS": str(refusals), "PYTHONPATH": str(HERE / "refuses")}
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(act=act)],
        env=environment, cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert seen in refusals.read_text()
