"""Fits of signal and background to a mass spectrum: references, and labels of the network."""
