"""What a denoised slice is scored by."""
