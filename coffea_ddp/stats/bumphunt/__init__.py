"""The bump hunt: ideal labels, fits, the network and what trains it; the way in is ``bump_significance``."""
