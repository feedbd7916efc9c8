"""Mass spectra and their files: ROOT histograms, UHI JSON, tables of text, HEPData, and anything that speaks UHI."""
