"""Calibrations: the efficiencies of muons over those of electrons, as data that experiments can read and write."""
