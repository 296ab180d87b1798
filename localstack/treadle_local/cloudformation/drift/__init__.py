"""Drift: whether resources are still what their stack made them."""
