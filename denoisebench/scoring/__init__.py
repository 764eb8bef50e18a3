"""From a denoiser to a result: scores on the test split, with intervals."""
