"""Every attack: one file and one import line each."""

from ownmark.attacks.distill import Distill
from ownmark.attacks.finetune import Finetune
from ownmark.attacks.prune import Prune
from ownmark.attacks.prune_neurons import PruneNeurons
from ownmark.attacks.recalibrate import Recalibrate
from ownmark.attacks.retrain import Retrain
from ownmark.protocols import Attack

ATTACKS: tuple[type[Attack], ...] = (Distill, Finetune, Prune, PruneNeurons, Recalibrate, Retrain)
