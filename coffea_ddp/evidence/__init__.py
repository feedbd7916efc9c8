"""From a mark to evidence: what follows a scan that marked regions of the data."""
