"""Statistics on arrays: no histogram library, no framework, no event data.

All functions take arrays, have keyword-only options after the data, and return frozen results. Called
directly they raise :class:`~coffea_ddp.errors.InputError` for data that they cannot use.

Examples
--------
>>> from coffea_ddp import stats
>>> result = stats.n_sigma([4, 0, 9], [9, 0, 16])
>>> round(result.statistic, 3), result.n_bins
(1.971, 2)
"""

import lazy_loader

# scipy costs 0.2 s: names are loaded on first use.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
