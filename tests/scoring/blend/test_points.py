"""Weights between two networks: what is mixed, what is kept, and what each mistake would do."""

import pytest
import torch
from torch import nn

from denoisebench.scoring.blend.points import best, interpolated


class Small(nn.Module):
    """A network with all that a state holds: parameters, running means, counts, tables, masks."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.last = nn.Conv2d(4, 1, 3, padding=1)
        self.register_buffer("table", torch.arange(6).reshape(2, 3))
        self.register_buffer("mask", torch.tensor([0.0, float("-inf")]))
        self.register_buffer("constant", torch.tensor([1 / 3, 0.1]))

    def forward(self, noisy):
        return noisy - self.last(torch.relu(self.norm(self.first(noisy))))


def trained(seed: int, batches: int) -> Small:
    """A network whose running means have seen some batches."""
    torch.manual_seed(seed)
    network = Small().train()
    for _ in range(batches):
        network(torch.randn(4, 1, 16, 16) * (1 + seed) + seed)
    return network.eval()


@pytest.fixture
def networks() -> tuple[Small, Small]:
    return trained(1, 3), trained(2, 5)


@pytest.fixture
def noisy() -> torch.Tensor:
    return torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(7))


def output(state, noisy) -> torch.Tensor:
    network = Small()
    network.load_state_dict(state)
    with torch.inference_mode():
        return network.eval()(noisy)


def lies_between(mix, first, second, weight) -> bool:
    """Whether a mixer's numbers are (1 - w) · first + w · second, buffers too; the rest first's."""
    mixed = mix(first, second, weight)
    for name, one in first.items():
        if one.is_floating_point():
            expected = (1 - weight) * one.double() + weight * second[name].double()
            same = one == second[name]
            # 1e-7 relative: half a digit of float32, in which the result is written
            near = torch.isclose(mixed[name].double(), expected, rtol=1e-7, atol=1e-9)
            if not bool(torch.all(torch.where(same, mixed[name] == one, near))):
                return False
        elif not torch.equal(mixed[name], one):
            return False
    return list(mixed) == list(first)


def reversed_weight(first, second, weight):
    return interpolated(first, second, 1 - weight)


def swapped_parents(first, second, weight):
    return interpolated(second, first, weight)


def forgotten_buffers(first, second, weight):
    buffers = {name for name, _ in Small().named_buffers()}
    mixed = interpolated(first, second, weight)
    return {name: first[name] if name in buffers else value for name, value in mixed.items()}


def mixed_integers(first, second, weight):
    return {
        name: torch.lerp(one.double(), second[name].double(), weight).to(one.dtype)
        for name, one in first.items()
    }


@pytest.mark.parametrize("weight", [0.1, 0.25, 0.5, 0.75, 1 / 3])
def test_every_number_lies_between_and_whole_numbers_are_the_firsts(networks, weight):
    first, second = (network.state_dict() for network in networks)
    assert lies_between(interpolated, first, second, weight)


@pytest.mark.parametrize(
    "broken", [reversed_weight, swapped_parents, forgotten_buffers, mixed_integers]
)
def test_a_mixer_that_errs_is_seen(networks, broken):
    first, second = (network.state_dict() for network in networks)
    assert not lies_between(broken, first, second, 0.25)


@pytest.mark.parametrize("end", [0, 1])
def test_at_an_end_the_output_is_that_ends_to_the_bit(networks, noisy, end):
    states = [network.state_dict() for network in networks]
    expected = output(states[end], noisy)
    assert torch.equal(output(interpolated(*states, end), noisy), expected)
    for broken in (reversed_weight, swapped_parents):
        assert not torch.equal(output(broken(*states, end), noisy), expected)


def test_the_output_moves_from_one_end_to_the_other(networks, noisy):
    states = [network.state_dict() for network in networks]
    ends = [output(state, noisy) for state in states]
    outputs = [output(interpolated(*states, weight), noisy) for weight in (0.01, 0.99)]
    apart = (ends[0] - ends[1]).abs().max()
    for place in (0, 1):  # a hundredth of the way moves it little
        assert (outputs[place] - ends[place]).abs().max() < 0.1 * apart


def test_what_both_share_is_kept_to_the_bit():
    shared = {"mask": torch.tensor([float("-inf"), 0.1, -0.0]), "filter": torch.randn(9)}
    mixed = interpolated(shared, {n: t.clone() for n, t in shared.items()}, 1 / 3)
    assert all(torch.equal(mixed[name], value) for name, value in shared.items())
    naive = (2 / 3) * shared["filter"] + (1 / 3) * shared["filter"]
    assert not torch.equal(naive, shared["filter"])  # what mixing alone would leave


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.complex64])
def test_types_stay_as_they_are(dtype):
    one, other = torch.zeros(3, dtype=dtype), torch.ones(3, dtype=dtype)
    mixed = interpolated({"a": one}, {"a": other}, 0.25)["a"]
    assert mixed.dtype == dtype
    assert torch.equal(mixed, torch.full((3,), 0.25, dtype=dtype))


def test_the_best_of_some_means_is_the_first_of_equals_and_none_where_one_is_missing():
    assert best([1.0, 3.0, 3.0], higher=True) == 1
    assert best([0.3, 0.2, 0.2], higher=False) == 1
    assert best([1.0, None], higher=True) is None
