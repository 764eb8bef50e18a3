"""Real and fake share a pass of the critic where none tells on the other."""

import copy

import pytest
import torch

from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.plugins.load import build
from denoisebench.training.objective import Judge, Objective, judges_alone

CATALOGUE = find()
SIDE = 48


def critic_of(text):
    torch.manual_seed(0)
    return build(resolve(text, "discriminator", CATALOGUE)[0])


@pytest.mark.parametrize("card", CATALOGUE.of("discriminator"), ids=lambda card: card.name)
def test_critics_that_come_with_it_judge_alone(card):
    assert judges_alone(critic_of(card.name), SIDE)


class Then(torch.nn.Module):
    """A critic and what is done to its logits."""

    def __init__(self, then):
        super().__init__()
        self.critic, self.then = critic_of("patch3"), then

    def forward(self, image, condition):
        return self.then(self.critic(image, condition))


@pytest.mark.parametrize(
    "make",
    [
        lambda: critic_of('patch3(norm="batch")'),
        lambda: Then(torch.nn.Dropout(0.5)),
        lambda: Then(lambda logits: logits - logits.mean()),
        lambda: Then(lambda logits: logits.mean(dim=0)),
    ],
    ids=["batch normalisation", "dropout", "a mean over the batch", "one logit for all"],
)
def test_critics_that_do_not_are_found(make):
    assert not judges_alone(make(), SIDE)


def test_looking_for_it_changes_neither_the_critic_nor_what_is_drawn_next():
    critic = critic_of("patch3_sn")
    before, drawn = copy.deepcopy(critic.state_dict()), torch.get_rng_state()
    judges_alone(critic, SIDE)
    assert all(torch.equal(value, before[name]) for name, value in critic.state_dict().items())
    assert torch.equal(torch.get_rng_state(), drawn)


@pytest.mark.parametrize("loss", ["cgan", "lsgan + 10*r1", "ragan", "hinge"])
@pytest.mark.parametrize("name", ["patch3", "multiscale", "pixel"])
def test_one_pass_gives_the_loss_and_gradients_of_two(name, loss):
    # Not of spectral normalisation, whose power iteration moves once a pass.
    objective = Objective(resolve(loss, "loss", CATALOGUE))
    images = 2 * torch.rand(3, 2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) - 1
    found = []
    for together in (True, False):
        critic = critic_of(name)
        judge = Judge(objective, critic, critic, SIDE)
        assert judge.together
        judge.together = together
        total, _, real = judge(*images)
        total.backward()
        found.append((total.detach(), real, [p.grad for p in critic.parameters()]))
    (one, real_one, slopes_one), (two, real_two, slopes_two) = found
    # float32: 24 bits, over sums of some thousand terms.
    torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(real_one, real_two, rtol=1e-4, atol=1e-5)
    one, two = (
        torch.cat([slope.flatten() for slope in found]) for found in (slopes_one, slopes_two)
    )
    assert (one - two).norm() < 1e-3 * two.norm()
