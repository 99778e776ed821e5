from .bridge.limit import time_limit as time_limit
from .datasets import load_dataset as load_dataset
from .inputs.control import ConvCheck as ConvCheck
from .inputs.control import GlmerControl as GlmerControl
from .inputs.control import LmerControl as LmerControl
from .inputs.control import NlmerControl as NlmerControl
from .models.denovo import data_template as data_template
from .models.denovo import params_template as params_template
from .models.denovo import simulate_formula as simulate_formula
from .models.glmer import GlmerFit as GlmerFit
from .models.glmer import glmer as glmer
from .models.glmer import glmer_nb as glmer_nb
from .models.lmer import LmerFit as LmerFit
from .models.lmer import lmer as lmer
from .models.lmlist import lm_list as lm_list
from .models.nlmer import NlmerFit as NlmerFit
from .models.nlmer import nlmer as nlmer
from .parity.compare import compare as compare
from .parity.verdict import Comparison as Comparison
from .parity.verdict import Verdict as Verdict
from .plugin import parametrize_parity as parametrize_parity
from .results.family import Family as Family
from .results.fit import Fit as Fit

__version__: str
