from .glmer import GlmerFit as GlmerFit
from .kept import KeptFit as KeptFit
from .kept import call_on as call_on
from .kept import fit_spec as fit_spec
from .kept import model_of as model_of
from .lmer import LmerFit as LmerFit
from .lmer import lmer as lmer
from .nlmer import NlmerFit as NlmerFit
