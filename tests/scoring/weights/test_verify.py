import numpy as np
import pytest

from denoisebench.home import home
from denoisebench.scoring.weights import known, store, verify

MACHINE_HOME = home()  # read on import, before a fixture sets another


def test_verify_takes_digest_and_probe(published, monkeypatch):
    store.fetch("net-a")
    monkeypatch.setattr(verify, "probe", lambda name: 0.5 + 2e-6)
    assert verify.verify("net-a").right
    monkeypatch.setattr(verify, "probe", lambda name: 0.5 + 2e-4)
    assert not verify.verify("net-a").right


def test_verify_computes_nothing_with_wrong_tensors(published, monkeypatch):
    (path,) = store.fetch("net-a")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    found = verify.verify("net-a")
    assert not found.right
    assert found.probe is None
    assert found.digest != found.expected_digest


def test_the_probe_pair_is_of_integers_in_range():
    for image in verify.probe_pair():
        assert image.shape == (128, 128)
        assert np.array_equal(image, np.round(image))
        assert image.min() >= 0
        assert image.max() <= 255


@pytest.mark.parametrize("name", known.KNOWN)
def test_the_weights_of_this_machine_give_the_committed_probe_value(name, monkeypatch):
    monkeypatch.setenv("DENOISEBENCH_HOME", str(MACHINE_HOME))
    if not store.path_of(name).is_file():
        pytest.skip(f"no weights {name}: {known.mend(name)}")
    found = verify.verify(name)
    assert found.digest == found.expected_digest
    assert found.probe == pytest.approx(found.expected_probe, abs=verify.PROBE_TOLERANCE)
    assert found.right
