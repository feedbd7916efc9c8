"""A classifier of A against B, out of fold, as a test of whether they differ (arXiv:2203.07529)."""
