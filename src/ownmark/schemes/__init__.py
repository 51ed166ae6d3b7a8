"""Every scheme: one file and one import line each."""

from ownmark.protocols import Scheme
from ownmark.schemes.partitioned import Partitioned
from ownmark.schemes.saliency import Saliency

SCHEMES: tuple[type[Scheme], ...] = (Partitioned, Saliency)
