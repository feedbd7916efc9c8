from . import models as models
from . import nanoaod as nanoaod
from . import observables as observables
from . import selections as selections
from . import symmetries as symmetries
