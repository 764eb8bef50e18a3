"""Networks that tell clean slices from denoised ones."""
