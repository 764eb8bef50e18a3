import pytest

from denoisebench import UsageError, load_weights
from denoisebench.scoring.weights import known


def test_unknown_weights_name_the_nearest():
    with pytest.raises(UsageError, match="no weights named 'lpips-alx'; nearest: lpips-alex"):
        load_weights("lpips-alx")
    with pytest.raises(
        UsageError, match="'lpips' stands for several weights: lpips-alex, lpips-vgg"
    ):
        load_weights("lpips")


def test_a_missing_part_of_a_group_names_a_group_that_has_it():
    for name in known.KNOWN:
        group = known.mend(name).removeprefix("denoisebench weights fetch ")
        assert name in known.GROUPS[group]
    # what needs two archives is fetched with one command
    assert set(known.names("dists")) == {"lpips-vgg", "dists-heads"}
    assert set(known.names("all")) == set(known.KNOWN)
