"""The public names of `coffea_ddp.plotting`, each once, with the module that defines it."""

from .comparing import overlay as overlay
from .events import learned as learned
from .events import log_ratio as log_ratio
from .nulls import null as null
from .nulls import z_distribution as z_distribution
from .pairs import matrices as matrices
from .pairs import table as table
from .powers import curves as curves
from .spectra import spectrum as spectrum
