"""The registry of schemes: one file and one import line per scheme."""

from ownmark.protocols import Scheme
from ownmark.schemes.characteristic import Characteristic
from ownmark.schemes.confer_ae import ConferAE
from ownmark.schemes.entangled import Entangled
from ownmark.schemes.ipguard import IPGuard
from ownmark.schemes.mistakes import Mistakes
from ownmark.schemes.negatives import Negatives
from ownmark.schemes.partitioned import Partitioned
from ownmark.schemes.saliency.scheme import Saliency
from ownmark.schemes.tafa import TAFA
from ownmark.schemes.trigger_set import TriggerSet
from ownmark.schemes.zhang import Zhang
from ownmark.tasks import TASKS, Classification, Task

SCHEMES: tuple[type[Scheme], ...] = (
    Characteristic,
    ConferAE,
    Entangled,
    IPGuard,
    Mistakes,
    Negatives,
    Partitioned,
    Saliency,
    TAFA,
    TriggerSet,
    Zhang,
)
SERVES: dict[type[Scheme], tuple[type[Task], ...]] = {Saliency: TASKS}  # schemes that support more than classification


def served(scheme: Scheme) -> tuple[type[Task], ...]:
    """The tasks that the scheme supports."""
    return SERVES.get(type(scheme), (Classification,))
