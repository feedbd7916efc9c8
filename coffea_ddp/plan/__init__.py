"""The plan: symmetries, spectra, observables, cells and objects, as data with a fingerprint."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
