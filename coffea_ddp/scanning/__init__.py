"""From histograms to a report: the tests of all cells, pseudo-experiments, and the ranking."""
