"""my_plugin: a power of the difference. Say here what yours measures, and from which paper."""

from torch import Tensor

from denoisebench import UsageError, loss


# The name in quotes is what users type. `weight` is what the loss gets beside an adversarial term,
# as in `cgan + my_plugin`; by itself it weighs 1.
@loss("my_plugin", weight=100)
def my_plugin(output: Tensor, target: Tensor, *, power: float = 1.5) -> Tensor:
    """Mean of |output - target| to a power over the batch; 0 at equality.

    (B, 1, H, W) in [-1, 1], where the output may go beyond → one number, in float32.

    Knobs:
        power: above 1, so that the gradient is finite at equality; 2 is the squared error.
    """
    # Knobs stand after the `*`, each with a default and a line above. Refuse what makes no sense:
    if not power > 1:
        raise UsageError(f"my_plugin needs a power above 1, got {power}; use my_plugin(power=1.5)")
    return (output - target).abs().pow(power).mean()
