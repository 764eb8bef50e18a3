from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

import denoisebench as db


class Blur(nn.Module):
    """Average of nine neighbours: the same on every scale."""

    def forward(self, image: Tensor) -> Tensor:
        return avg_pool2d(image, 3, 1, 1, count_include_pad=False)


class Trained(Blur):
    """The same, for noise of the strength that it was made for; it lets all else pass."""

    def __init__(self, sigma: float):
        super().__init__()
        self.sigma = sigma

    def forward(self, image: Tensor) -> Tensor:
        smooth = super().forward(image)
        return smooth if 0.8 < (image - smooth).std() / self.sigma < 1.25 else image


SIGMAS = {"network": 100 / 255, "unit": 50 / 255, "grey": 50, "hu": 400 / 255 * 50}


@pytest.fixture
def score(small):
    return lambda model, **more: db.evaluate(model, **small | more)


def test_any_module_stands_on_the_board_after_one_call(score, noisy, cli):
    mine = score(Blur(), name="my blur")
    assert mine.psnr > noisy.psnr + 3  # nine values are averaged
    metric = mine.metrics["psnr"]
    assert metric.lo <= metric.mean <= metric.hi
    assert {score.metric for score in mine.scores} == {"psnr", "rmse_hu"}
    assert mine.recipe is None
    board = db.leaderboard(noisy, mine)
    assert [row.result.method for row in board.rows] == ["my blur", "noisy"]
    assert board.rows[1].versus["best"].mean == pytest.approx(noisy.psnr - mine.psnr, abs=1e-9)
    assert b"my blur" in cli("leaderboard")[1]


@pytest.mark.parametrize("scale", SIGMAS)
def test_the_identity_scores_what_the_noisy_slice_scores(score, noisy, scale):
    same = score(lambda image: image, input=scale, name=scale)
    assert same.psnr == pytest.approx(noisy.psnr, abs=1e-5)  # float32 there and back
    assert same.metrics["rmse_hu"].mean == pytest.approx(noisy.metrics["rmse_hu"].mean, abs=1e-4)


@pytest.mark.parametrize("scale", SIGMAS)
def test_a_module_on_its_own_scale_is_scored_without_a_word(score, noisy, scale):
    assert score(Trained(SIGMAS[scale]), input=scale).psnr > noisy.psnr + 3


@pytest.mark.parametrize(
    ("made_for", "stated"),
    [("unit", "network"), ("network", "unit"), ("grey", "hu"), ("hu", "grey"), ("hu", "network")],
)
def test_another_scale_is_never_fed_silently(score, recwarn, made_for, stated):
    score(Trained(SIGMAS[made_for]), input=stated)
    (told,) = recwarn.list
    assert f"was it made for input='{made_for}'?" in str(told.message)
    assert told.filename == __file__  # at the line of whoever called


def test_a_module_that_is_worse_than_nothing_is_told(score):
    with pytest.warns(UserWarning, match="where the noisy slice itself has"):
        score(lambda image: image * 0 - 9, name="constant")


def test_a_network_of_ours_scores_as_its_run_does(fast, score):
    run = db.train("tiny", **fast)
    again = score(run.generator(), multiple=run.multiple, name="again")
    assert [one.value for one in again.scores] == [one.value for one in run.scores]


def test_a_run_is_scored_on_other_data_as_it_is(fast, score):
    run = db.train("tiny", **fast)
    other = score(run, data="phantom-4x2x64")
    assert other.result.method == "tiny · l1, trained on phantom-8x2x64"
    assert other.result.data == "phantom-4x2x64"
    assert score(run).psnr == run.psnr


class Awkward(nn.Module):
    """Parts in several modes, a frozen one, gradients, and something kept from a call."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 1, 3, padding=1)
        self.norm = nn.BatchNorm2d(4).eval()
        self.drop = nn.Dropout(0.9)
        self.first.requires_grad_(False)
        self.kept: Tensor | None = None

    def forward(self, image: Tensor) -> Tensor:
        assert not self.drop.training
        assert not torch.is_grad_enabled()
        if self.kept is None:
            self.kept = self.first(image).mean()
        return image + 0.01 * self.second(self.drop(self.norm(self.first(image) - self.kept)))


def test_a_module_is_left_as_it_was(score):
    torch.manual_seed(0)
    model = Awkward()
    model.second.weight.grad = torch.ones_like(model.second.weight)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [part.training for part in model.modules()]
    score(model)
    assert modes == [part.training for part in model.modules()] == [True] * 3 + [False, True]
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert [weight.requires_grad for weight in model.first.parameters()] == [False, False]
    assert torch.equal(model.second.weight.grad, torch.ones_like(model.second.weight))
    assert model.kept is not None
    assert not model.kept.is_inference()  # such a tensor would break the next training
    trained = nn.Conv2d(1, 1, 1)(model.kept.reshape(1, 1, 1, 1))
    trained.sum().backward()


class WarmStart(Blur):
    """A solver that begins where it ended the last time."""

    last: Tensor | None = None

    def forward(self, image: Tensor) -> Tensor:
        start = image if self.last is None or self.last.shape != image.shape else self.last
        self.last = 0.01 * start + 0.99 * super().forward(image)
        return self.last


def test_trying_other_scales_leaves_no_trace_in_a_module_that_remembers(score):
    tried = score(WarmStart(), input="unit").scores
    seen_first = score(lambda image: WarmStart()(image), input="unit").scores
    assert tried[0].value == seen_first[0].value


def test_it_is_left_as_it_was_where_it_fails_too(score):
    model = nn.Sequential(nn.Dropout(), nn.Conv2d(3, 1, 3))
    with pytest.raises(db.UsageError, match=r"Sequential cannot denoise 64 × 64 .*channels"):
        score(model)
    assert model[0].training
    assert not Path("runs").exists()


class Strided(nn.Module):
    """A network whose sides must divide by 24, as a U-Net's must."""

    def forward(self, image: Tensor) -> Tensor:
        if any(side % 24 for side in image.shape[-2:]):
            raise RuntimeError("sizes of tensors must match")
        return image


def test_sides_that_must_divide_are_padded(score, noisy):
    with pytest.raises(db.UsageError, match="sizes of tensors must match; give multiple="):
        score(Strided())
    assert score(Strided(), multiple=24).psnr == pytest.approx(noisy.psnr, abs=1e-5)


@pytest.mark.parametrize("scale", SIGMAS)
def test_sigma_is_given_on_the_scale_of_the_module(score, scale):
    seen = []

    def denoiser(image, sigma):
        seen.append(sigma)
        return image

    with pytest.raises(db.UsageError, match="sigma=True where it takes"):
        score(denoiser, input=scale)
    score(denoiser, input=scale, sigma=True)
    slices = seen[:1] + seen[4:]  # all four scales are tried first, the stated one before others
    assert slices == pytest.approx([SIGMAS[scale]] * 3, rel=1e-9)


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_other_precisions_are_taken(score, noisy, kind):
    model = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.ones_(model.weight)
    assert score(model.to(kind)).psnr == pytest.approx(noisy.psnr, abs=0.01)  # bfloat16 has 8 bits
    assert model.weight.dtype == kind


@pytest.mark.parametrize(
    ("model", "more", "told"),
    [
        (lambda image: (image, image), {}, r"it gave tuple for \(1, 1, 64, 64\)"),
        (lambda image: image[..., 1:], {}, r"it gave \(1, 1, 64, 63\) for"),
        (7, {}, "a int cannot be scored; give an nn.Module"),
        (Blur, {}, "type cannot denoise|Blur cannot denoise"),
        (Blur(), {"input": "uint8"}, "no scale named 'uint8'; input is one of network, unit"),
        ("bm3", {}, "no baseline named 'bm3'; nearest: bm3d"),
        ("noisy", {"input": "unit"}, "are for a module; leave them out"),
        ("noisy", {"name": "mine"}, "goes by its expression, noisy"),
    ],
)
def test_what_is_no_denoiser_is_told_in_a_line(score, model, more, told):
    with pytest.raises(db.UsageError, match=told) as error:
        score(model, **more)
    assert "\n" not in str(error.value)
    assert not Path("runs").exists()


def test_pixels_that_are_not_finite_are_a_row_without_rank(score, noisy):
    def bad(image):
        return image / torch.zeros(1)

    with pytest.warns(UserWarning, match="bad failed: output of test slice"):
        run = score(bad)
    board = db.leaderboard(run, noisy)
    assert [row.rank for row in board.rows] == [1, None]


def test_a_module_cannot_be_opened_as_a_network(score, cli):
    run = score(Blur())
    with pytest.raises(db.UsageError, match=r"made elsewhere; .*denoisebench.evaluate\(module\)"):
        run.generator()
    for command in ("audit", "verify"):
        code, _, told = cli(command, run.folder, "--data", "phantom-8x2x64")
        assert code == 2
        assert b"made elsewhere" in told


def test_other_weights_are_another_row_and_the_same_are_the_same(score):
    model = nn.Conv2d(1, 1, 1)
    nn.init.dirac_(model.weight)
    nn.init.zeros_(model.bias)
    first, again = score(model), score(model)
    assert first.folder == again.folder
    nn.init.constant_(model.bias, 0.01)
    assert score(model).folder != first.folder


def test_a_row_names_no_place_and_nobody(score, here):
    run = score(Blur())
    for path in run.folder.iterdir():
        if path.suffix in (".json", ".csv"):
            assert str(here) not in path.read_text()
