"""The registry of attacks: one file and one import line per attack."""

from ownmark.attacks.distill import Distill as Distill
from ownmark.attacks.extract import Extract as Extract
from ownmark.attacks.finetune import Finetune as Finetune
from ownmark.attacks.noise import Noise as Noise
from ownmark.attacks.overwrite import Overwrite as Overwrite
from ownmark.attacks.prune import Prune as Prune
from ownmark.attacks.prune_filters import PruneFilters as PruneFilters
from ownmark.attacks.prune_neurons import PruneNeurons as PruneNeurons
from ownmark.attacks.quantize import Quantize as Quantize
from ownmark.attacks.quantize_static import QuantizeStatic as QuantizeStatic
from ownmark.attacks.recalibrate import Recalibrate as Recalibrate
from ownmark.attacks.retrain import Retrain as Retrain
from ownmark.attacks.then import Then as Then
from ownmark.protocols import Attack
from ownmark.registries import kinds

ATTACKS: tuple[type[Attack], ...] = kinds(vars(), __name__)
