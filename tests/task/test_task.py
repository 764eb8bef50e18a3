import numpy as np
import pytest
import torch

from denoisebench import UsageError
from denoisebench.task import load_task, task_names
from denoisebench.task.noise import fresh_noise, noisy_slice, normal_deviates
from denoisebench.task.task import from_network, to_network

DIGEST = "00" * 31 + "2a"


def psnr(image, clean):
    return 10 * np.log10(255**2 / np.mean((image - clean) ** 2))


def test_the_five_tasks_come_with_the_package():
    names = {"ct-sigma50", *(f"ct-sigma50-{end}" for end in ("wide", "clip8", "rgb8", "hu8"))}
    assert set(task_names()) == names


def test_the_window_maps_its_ends_to_0_and_255_and_clips_beyond():
    hu = np.array([-3024, -160, 40, 240, 3000], dtype=np.int16)
    assert load_task("ct-sigma50").to_grey(hu).tolist() == [0, 0, 127.5, 255, 255]


def test_grey_levels_are_not_rounded():
    assert load_task("ct-sigma50").to_grey(np.array([1], dtype=np.int16))[0] == 161 * 255 / 400


def test_networks_see_minus_one_to_one_and_back():
    grey = np.array([0.0, 127.5, 255.0, 300.0])
    assert to_network(grey).tolist()[:3] == [-1, 0, 1]
    assert from_network(to_network(grey)) == pytest.approx(grey, abs=1e-12)  # rounding of float64


@pytest.mark.parametrize(
    ("name", "sigma"),
    [("ct-sigma50", 50), ("ct-sigma50-clip8", 50), ("ct-sigma50-hu8", 50 * 255 / 400),
     ("ct-sigma50-rgb8", 50 / 3**0.5)],
)  # fmt: skip
def test_a_baseline_is_told_the_deviation_of_the_averaged_slice(name, sigma):
    assert load_task(name).sigma == pytest.approx(sigma, rel=1e-12)


def test_normal_deviates_are_the_known_ones():
    # Two machines may differ in the last bits of the logarithm inside ndtri.
    expected = [1.9802243396530017, -0.9039541096232185, 0.43876287960282706, -0.49719422872296803]
    assert normal_deviates(DIGEST, "awgn50", 0, (4,)) == pytest.approx(expected, abs=1e-12)


def test_normal_deviates_are_normal():
    from scipy.stats import kstest

    deviates = normal_deviates(DIGEST, "awgn50", 0, (200_000,))
    assert kstest(deviates, "norm").pvalue > 0.01
    neighbours = np.corrcoef(deviates[:-1], deviates[1:])[0, 1]
    assert abs(neighbours) < 4 / 200_000**0.5  # four standard errors


def test_digest_protocol_and_seed_each_give_other_noise():
    first = normal_deviates(DIGEST, "awgn50", 0, (1000,))
    others = [
        normal_deviates("11" * 32, "awgn50", 0, (1000,)),
        normal_deviates(DIGEST, "awgn50-wide", 0, (1000,)),
        normal_deviates(DIGEST, "awgn50", 1, (1000,)),
    ]
    for other in others:
        # Independent noise: correlation below four standard errors of 1,000 values.
        assert abs(np.corrcoef(first, other)[0, 1]) < 4 / 1000**0.5


def test_the_default_task_leaves_14_15_db():
    task, clean = load_task("ct-sigma50"), np.full((512, 512), 100.0)
    # 20·log10(255 / 50) = 14.151; one slice of 262,144 pixels spreads by 0.012 dB.
    assert psnr(noisy_slice(task, clean, DIGEST), clean) == pytest.approx(14.151, abs=0.05)


def test_unclipped_noise_leaves_the_range_and_eight_bit_noise_does_not():
    clean = np.zeros((64, 64))
    free = noisy_slice(load_task("ct-sigma50"), clean, DIGEST)
    bound = noisy_slice(load_task("ct-sigma50-clip8"), clean, DIGEST)
    assert free.min() < -100
    assert bound.min() == 0
    assert np.array_equal(bound, np.rint(bound))


def test_three_channels_average_to_thirds():
    noisy = noisy_slice(load_task("ct-sigma50-rgb8"), np.full((64, 64), 127.0), DIGEST)
    assert (noisy * 3) == pytest.approx(np.rint(noisy * 3), abs=1e-9)  # thirds of integers
    assert noisy.std() == pytest.approx(50 / 3**0.5, rel=0.05)


@pytest.mark.parametrize("name", task_names())
def test_training_noise_follows_the_same_law_as_test_noise(name):
    task = load_task(name)
    clean = np.tile(np.linspace(0, 255, 256), (256, 1))
    source = torch.Generator().manual_seed(0)
    drawn = fresh_noise(task, torch.from_numpy(clean)[None, None], source)[0, 0].numpy()
    fixed = noisy_slice(task, clean, DIGEST)
    # Mean and spread at each of 16 grey levels; 4,096 pixels a level leave a spread of 2 %.
    for columns in np.split(np.arange(256), 16):
        spread = (fixed - clean)[:, columns].std()
        assert drawn[:, columns].mean() == pytest.approx(
            fixed[:, columns].mean(), abs=0.1 * spread + 0.2
        )
        assert (drawn - clean)[:, columns].std() == pytest.approx(spread, rel=0.1)


def test_training_noise_is_a_function_of_the_generators_seed():
    task, clean = load_task("ct-sigma50"), torch.zeros(2, 1, 8, 8)
    draws = [fresh_noise(task, clean, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert not torch.equal(draws[0][0], draws[0][1])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("window_hu = [240, -160]", "low < high"),
        ("version = 0", "version"),
        ("[noise]\nsigma = -1", "sigma"),
        ("colour = 'red'", "colour"),
        ("= =", "cannot read"),
    ],
)
def test_a_task_file_that_does_not_fit_is_one_line_that_names_the_field(tmp_path, change, said):
    path = tmp_path / "mine.toml"
    good = [
        "name = 'mine'",
        "version = 1",
        "summary = ''",
        "window_hu = [0, 1]",
        "metrics = ['psnr']",
    ]
    noise = ["[noise]", "protocol = 'p'", "sigma = 1"]
    key = change.split("=")[0].strip().removeprefix("[noise]\n")
    kept = [line for line in good if not line.startswith(key)]
    rest = [] if change.startswith("[noise]") else noise
    middle = change if not change.startswith("[noise]") else "[noise]\nprotocol = 'p'\nsigma = -1"
    path.write_text("\n".join([*kept, middle, *rest]))
    with pytest.raises(UsageError, match=said) as error:
        load_task(str(path))
    assert "\n" not in str(error.value)


def test_an_unknown_task_lists_those_there_are():
    with pytest.raises(UsageError, match="no task named 'ct-sigma5'; tasks: ct-sigma50"):
        load_task("ct-sigma5")
