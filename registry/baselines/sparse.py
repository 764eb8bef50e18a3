"""Sparse coding: each patch as a few atoms of a dictionary learned on training slices."""

from collections.abc import Sequence
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import MiniBatchDictionaryLearning
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.image import extract_patches_2d
from sklearn.linear_model import orthogonal_mp_gram

from denoisebench import UsageError, baseline

Grey = NDArray[np.float64]


@baseline(
    "sparse",
    learns=True,
    package="scikit-learn",
    licence="BSD-3-Clause (scikit-learn)",
    tune={"gain": [1.05, 1.15, 1.25]},
)
class Sparse:
    """Code patches by orthogonal matching pursuit (Elad, 2006, doi:10.1109/TIP.2006.881969).

    (H, W) grey levels and their noise's standard deviation → (H, W) grey levels, not clipped. Atoms
    are added to a patch until what is left of it is as small as noise; overlapping patches are
    averaged. The dictionary is learned once on clean training patches, by online learning (Mairal
    et al., 2009) in place of K-SVD: half a minute once, and a second for 512² on one core.

    Knobs:
        atoms: of the dictionary.
        patch: side of the patches, in pixels.
        stride: from patch to patch, in pixels; 1 is Elad's, and four times as slow as 2.
        gain: what counts as noise: a residual's root mean square, in units of sigma.
        samples: patches to learn from.
    """

    def __init__(
        self,
        *,
        atoms: int = 256,
        patch: int = 8,
        stride: int = 2,
        gain: float = 1.15,
        samples: int = 30_000,
    ) -> None:
        if not (patch >= 2 and 1 <= stride <= patch and atoms >= 2 and samples >= atoms):
            raise UsageError(
                "sparse needs patch ≥ 2, 1 ≤ stride ≤ patch and samples ≥ atoms ≥ 2, got "
                f"{patch=}, {stride=}, {samples=}, {atoms=}"
            )
        self.patch, self.stride, self.gain = patch, stride, gain
        self.atoms, self.samples = atoms, samples
        self.dictionary: Grey | None = None

    def fit(self, clean: Sequence[Grey]) -> None:
        """Learn the atoms from (H, W) grey levels of training slices; the same ones each time."""
        source = np.random.RandomState(0)
        side = (self.patch, self.patch)
        each = -(-4 * self.samples // len(clean))  # most patches are flat, and teach nothing
        drawn = [
            extract_patches_2d(one, side, max_patches=each, random_state=source) for one in clean
        ]
        patches = np.concatenate(drawn).reshape(-1, self.patch**2)
        patches = patches - patches.mean(axis=1, keepdims=True)
        richest = np.argsort(-patches.var(axis=1), kind="stable")[: self.samples]
        learner = MiniBatchDictionaryLearning(
            self.atoms, alpha=20, batch_size=512, max_iter=10, fit_algorithm="cd", random_state=0
        )
        with catch_warnings():
            # An inner step that stops short is part of learning online.
            simplefilter("ignore", ConvergenceWarning)
            learner.fit(patches[source.permutation(richest)])
        norms = np.linalg.norm(learner.components_, axis=1, keepdims=True)
        self.dictionary = learner.components_[norms[:, 0] > 0] / norms[norms[:, 0] > 0]

    def __call__(self, noisy: Grey, sigma: float) -> Grey:
        """Denoise one slice."""
        if self.dictionary is None:
            raise UsageError("sparse has learned nothing yet: call fit with clean slices first")
        rows, columns = (self._starts(length) for length in noisy.shape)
        windows = np.lib.stride_tricks.sliding_window_view(noisy, (self.patch, self.patch))
        patches = windows[np.ix_(rows, columns)].reshape(-1, self.patch**2)
        means = patches.mean(axis=1, keepdims=True)
        coded = means + self._code(patches - means, sigma)

        total, count = np.zeros_like(noisy), np.zeros_like(noisy)
        corners = [(row, column) for row in rows for column in columns]
        for (row, column), patch in zip(corners, coded, strict=True):
            place = np.s_[row : row + self.patch, column : column + self.patch]
            total[place] += patch.reshape(self.patch, self.patch)
            count[place] += 1
        return total / count

    def _code(self, patches: Grey, sigma: float) -> Grey:
        """Replace patches of mean 0 by their sparse codes; those that are but noise by 0."""
        assert self.dictionary is not None
        allowed = self.patch**2 * (self.gain * sigma) ** 2
        energy = np.square(patches).sum(axis=1)
        signal = energy > allowed
        coded = np.zeros_like(patches)
        if signal.any():
            codes = orthogonal_mp_gram(
                self.dictionary @ self.dictionary.T,
                self.dictionary @ patches[signal].T,
                tol=allowed,
                norms_squared=energy[signal],
            )
            coded[signal] = codes.T @ self.dictionary
        return coded

    def _starts(self, length: int) -> NDArray[np.int64]:
        """Where patches start along a side; the last one ends at the border."""
        if length < self.patch:
            raise UsageError(f"sparse needs sides of at least {self.patch} pixels, got {length}")
        last = length - self.patch
        return np.append(np.arange(0, last, self.stride), last)
