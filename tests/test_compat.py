import subprocess
import sys

import pytest


def run(code):
    """Run code in a fresh process; return what it printed."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("library", ["timm", "piq"])
def test_a_library_that_needs_torchvision_can_be_imported(library):
    code = f"""
from denoisebench.compat import prepare
prepare()
prepare()
import {library}, torchvision
prepare()
print(torchvision.__name__)
"""
    assert run(code) == ["torchvision"]


def test_preparing_imports_no_torchvision():
    code = """
import sys
from denoisebench.compat import prepare
prepare()
print("torchvision" in sys.modules)
"""
    assert run(code) == ["False"]


def test_a_matching_pair_is_left_alone():
    code = """
from denoisebench import compat
compat.extension_loads = lambda folder: True
compat.prepare()
print(len(compat._declarations))
"""
    assert run(code) == ["0"]


def test_where_there_is_no_torchvision_nothing_is_declared():
    code = """
from denoisebench import compat
compat.find_spec = lambda name: None
compat.prepare()
print(len(compat._declarations))
"""
    assert run(code) == ["0"]


def test_an_extension_that_cannot_load_is_known(tmp_path):
    from denoisebench.compat import extension_loads

    assert not extension_loads(tmp_path)
    (tmp_path / "_C.so").write_bytes(b"not a library")
    assert not extension_loads(tmp_path)
