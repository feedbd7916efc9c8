"""The plan: symmetries, spectra, observables, cells and objects, as data with a fingerprint."""
