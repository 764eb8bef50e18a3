"""Networks that turn a noisy slice into a denoised one."""
