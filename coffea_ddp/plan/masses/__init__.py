"""Invariant masses: combinations of leading objects, and candidates of decays."""
