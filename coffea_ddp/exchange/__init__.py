"""Mass spectra in open formats: ROOT histograms, UHI JSON, CSV, and anything that speaks UHI."""

from coffea_ddp.exchange.reading import read_spectra, to_spectrum
from coffea_ddp.exchange.writing import write_spectra

__all__ = ["read_spectra", "to_spectrum", "write_spectra"]
