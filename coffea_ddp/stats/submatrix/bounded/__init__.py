"""The largest scores of all rectangles of many cells in pseudo-experiments, from the few that no bound rules out."""
