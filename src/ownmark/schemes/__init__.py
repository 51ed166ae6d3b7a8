"""The registry of schemes: one file and one import line per scheme; what is imported here is registered."""

from ownmark.protocols import Scheme
from ownmark.registries import kinds
from ownmark.schemes.characteristic import Characteristic as Characteristic
from ownmark.schemes.confer_ae import ConferAE as ConferAE
from ownmark.schemes.entangled import Entangled as Entangled
from ownmark.schemes.ipguard import IPGuard as IPGuard
from ownmark.schemes.mistakes import Mistakes as Mistakes
from ownmark.schemes.negatives import Negatives as Negatives
from ownmark.schemes.partitioned import Partitioned as Partitioned
from ownmark.schemes.residual import Residual as Residual
from ownmark.schemes.saliency.scheme import Saliency as Saliency
from ownmark.schemes.tafa import TAFA as TAFA
from ownmark.schemes.traces import Traces as Traces
from ownmark.schemes.trigger_set import TriggerSet as TriggerSet
from ownmark.schemes.undertone import Undertone as Undertone
from ownmark.schemes.zhang import Zhang as Zhang

SCHEMES: tuple[type[Scheme], ...] = kinds(vars(), __name__)
