"""Figures of the page: matplotlib draws them, and they take on the page's colours."""
