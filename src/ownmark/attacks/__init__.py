"""The registry of attacks: one file and one import line per attack."""

from ownmark.attacks.adversarial_train import AdversarialTrain as AdversarialTrain
from ownmark.attacks.average import Average as Average
from ownmark.attacks.distill import Distill as Distill
from ownmark.attacks.distill_ensemble import DistillEnsemble as DistillEnsemble
from ownmark.attacks.export import Export as Export
from ownmark.attacks.extract import Extract as Extract
from ownmark.attacks.finetune import Finetune as Finetune
from ownmark.attacks.jacobian import Jacobian as Jacobian
from ownmark.attacks.knockoff import Knockoff as Knockoff
from ownmark.attacks.nad import NAD as NAD
from ownmark.attacks.noise import Noise as Noise
from ownmark.attacks.overwrite import Overwrite as Overwrite
from ownmark.attacks.permute import Permute as Permute
from ownmark.attacks.prune import Prune as Prune
from ownmark.attacks.prune_filters import PruneFilters as PruneFilters
from ownmark.attacks.prune_neurons import PruneNeurons as PruneNeurons
from ownmark.attacks.quantize import Quantize as Quantize
from ownmark.attacks.quantize_static import QuantizeStatic as QuantizeStatic
from ownmark.attacks.recalibrate import Recalibrate as Recalibrate
from ownmark.attacks.rescale import Rescale as Rescale
from ownmark.attacks.retrain import Retrain as Retrain
from ownmark.attacks.then import Then as Then
from ownmark.attacks.transfer import Transfer as Transfer
from ownmark.attacks.unlearn import Unlearn as Unlearn
from ownmark.attacks.wrk import WRK as WRK
from ownmark.protocols import Attack
from ownmark.registries import kinds

ATTACKS: tuple[type[Attack], ...] = kinds(vars(), __name__)
