"""CT physics of a denoiser: noise power, sharpness per contrast, detectability, HU bias."""
