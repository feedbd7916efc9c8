"""Exports for other tools: regions as HistFactory models and histograms, data of figures as tables of HEPData."""
