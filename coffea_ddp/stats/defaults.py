"""Values that options have where none is given."""

from __future__ import annotations

TOYS = 1_000
"""Number of pseudo-experiments: it resolves p-values down to 0.001."""
