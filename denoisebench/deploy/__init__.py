"""A run put to use: CT in, denoised CT out; a model for another runtime."""
