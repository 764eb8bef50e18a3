"""The hallucination audit: what a denoiser removes or invents, which PSNR and SSIM do not see."""
