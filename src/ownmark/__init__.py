"""Statistical evidence that a vision model derives from yours: a scheme makes a claim, a suspect answers, `verify` judges.

The names below are loaded when they are first used, so that the judge's tools never import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ownmark.attacks.distill import Distill as Distill
    from ownmark.attacks.distill import Likeness as Likeness
    from ownmark.attacks.extract import Extract as Extract
    from ownmark.attacks.finetune import Finetune as Finetune
    from ownmark.attacks.noise import Noise as Noise
    from ownmark.attacks.overwrite import Overwrite as Overwrite
    from ownmark.attacks.prune import Prune as Prune
    from ownmark.attacks.prune_filters import PruneFilters as PruneFilters
    from ownmark.attacks.prune_filters import Removal as Removal
    from ownmark.attacks.prune_neurons import PruneNeurons as PruneNeurons
    from ownmark.attacks.quantize import Quantize as Quantize
    from ownmark.attacks.recalibrate import Recalibrate as Recalibrate
    from ownmark.attacks.retrain import Retrain as Retrain
    from ownmark.attacks.then import Then as Then
    from ownmark.claims.claim import Claim as Claim
    from ownmark.claims.claim import Preprocess as Preprocess
    from ownmark.claims.claim import Test as Test
    from ownmark.data.images import Images as Images
    from ownmark.data.images import load as load
    from ownmark.detectors.deep_svdd import DeepSVDD as DeepSVDD
    from ownmark.detectors.deep_svdd import Sight as Sight
    from ownmark.detectors.feature_squeezing import ColourDepth as ColourDepth
    from ownmark.detectors.feature_squeezing import FeatureSqueezing as FeatureSqueezing
    from ownmark.detectors.feature_squeezing import Median as Median
    from ownmark.detectors.feature_squeezing import NonLocalMeans as NonLocalMeans
    from ownmark.detectors.neighbours import Neighbours as Neighbours
    from ownmark.models.gradcam import GradCam as GradCam
    from ownmark.models.layers import Layers as Layers
    from ownmark.models.mobilefacenet import MobileFaceNet as MobileFaceNet
    from ownmark.models.prepared import prepared as prepared
    from ownmark.models.resnet import ResNet18 as ResNet18
    from ownmark.models.vgg import VGG11 as VGG11
    from ownmark.models.weights import load_weights as load_weights
    from ownmark.models.weights import save_weights as save_weights
    from ownmark.perturb.adam import Search as Search
    from ownmark.perturb.pgd import Descent as Descent
    from ownmark.perturb.pgd import Norm as Norm
    from ownmark.protocols import Alarm as Alarm
    from ownmark.protocols import Owner as Owner
    from ownmark.protocols import Protected as Protected
    from ownmark.querying.stealth import Stealth as Stealth
    from ownmark.querying.stealth import stealth_of as stealth_of
    from ownmark.schemes._common.mixed_training import Start as Start
    from ownmark.schemes._common.triggers import Content as Content
    from ownmark.schemes._common.triggers import Gaussian as Gaussian
    from ownmark.schemes._common.triggers import Natural as Natural
    from ownmark.schemes._common.triggers import Patterns as Patterns
    from ownmark.schemes.characteristic import Band as Band
    from ownmark.schemes.characteristic import Characteristic as Characteristic
    from ownmark.schemes.confer_ae import ConferAE as ConferAE
    from ownmark.schemes.entangled import Entangled as Entangled
    from ownmark.schemes.ipguard import Aim as Aim
    from ownmark.schemes.ipguard import IPGuard as IPGuard
    from ownmark.schemes.mistakes import Mistakes as Mistakes
    from ownmark.schemes.negatives import Negatives as Negatives
    from ownmark.schemes.partitioned import Partitioned as Partitioned
    from ownmark.schemes.residual import Residual as Residual
    from ownmark.schemes.saliency.objectives import Contrast as Contrast
    from ownmark.schemes.saliency.objectives import Own as Own
    from ownmark.schemes.saliency.objectives import Published as Published
    from ownmark.schemes.saliency.pattern import Fill as Fill
    from ownmark.schemes.saliency.scheme import Saliency as Saliency
    from ownmark.schemes.tafa import TAFA as TAFA
    from ownmark.schemes.tafa import Origin as Origin
    from ownmark.schemes.traces import Traces as Traces
    from ownmark.schemes.trigger_set import TriggerSet as TriggerSet
    from ownmark.schemes.zhang import Zhang as Zhang
    from ownmark.scoring.matches import Agreement as Agreement
    from ownmark.scoring.matches import Change as Change
    from ownmark.scoring.matches import Drop as Drop
    from ownmark.scoring.matches import Fall as Fall
    from ownmark.scoring.matches import Near as Near
    from ownmark.scoring.matches import OnPattern as OnPattern
    from ownmark.scoring.matches import OnPatternAgainst as OnPatternAgainst
    from ownmark.scoring.matches import Shift as Shift
    from ownmark.scoring.matches import Swing as Swing
    from ownmark.scoring.matches import Turn as Turn
    from ownmark.scoring.matches import Within as Within
    from ownmark.scoring.readings import Reading as Reading
    from ownmark.statistics.sequential import Early as Early
    from ownmark.suspects.client import Client as Client
    from ownmark.suspects.http.http_json import HttpJson as HttpJson
    from ownmark.suspects.http.ledger import Ledger as Ledger
    from ownmark.suspects.http.mapping import Mapping as Mapping
    from ownmark.suspects.http.oip import Dialect as Dialect
    from ownmark.suspects.http.oip import Oip as Oip
    from ownmark.suspects.http.transport import Limits as Limits
    from ownmark.suspects.http.transport import Transport as Transport
    from ownmark.suspects.local import Local as Local
    from ownmark.suspects.onnx import Onnx as Onnx
    from ownmark.suspects.wrappers.guarded import Guarded as Guarded
    from ownmark.suspects.wrappers.guarded import Response as Response
    from ownmark.suspects.wrappers.wrapped import JPEG as JPEG
    from ownmark.suspects.wrappers.wrapped import BitDepth as BitDepth
    from ownmark.suspects.wrappers.wrapped import Blur as Blur
    from ownmark.suspects.wrappers.wrapped import Hardened as Hardened
    from ownmark.suspects.wrappers.wrapped import Noisy as Noisy
    from ownmark.suspects.wrappers.wrapped import ResizePad as ResizePad
    from ownmark.suspects.wrappers.wrapped import Rounded as Rounded
    from ownmark.suspects.wrappers.wrapped import TopOne as TopOne
    from ownmark.suspects.wrappers.wrapped import Transformed as Transformed
    from ownmark.tasks import Classification as Classification
    from ownmark.tasks import Measure as Measure
    from ownmark.tasks import Regression as Regression
    from ownmark.tasks import Similarity as Similarity
    from ownmark.training import Training as Training
    from ownmark.training import train as train
    from ownmark.verdicts.calibrate import calibrate as calibrate
    from ownmark.verdicts.calibrate import calibration as calibration
    from ownmark.verdicts.verdict import Outcome as Outcome
    from ownmark.verdicts.verdict import Verdict as Verdict
    from ownmark.verdicts.verify import verify as verify

HOME = {
    "Agreement": "scoring.matches",
    "Aim": "schemes.ipguard",
    "Alarm": "protocols",
    "Band": "schemes.characteristic",
    "BitDepth": "suspects.wrappers.wrapped",
    "Blur": "suspects.wrappers.wrapped",
    "Change": "scoring.matches",
    "Characteristic": "schemes.characteristic",
    "Claim": "claims.claim",
    "Classification": "tasks",
    "Client": "suspects.client",
    "ColourDepth": "detectors.feature_squeezing",
    "ConferAE": "schemes.confer_ae",
    "Content": "schemes._common.triggers",
    "Contrast": "schemes.saliency.objectives",
    "DeepSVDD": "detectors.deep_svdd",
    "Descent": "perturb.pgd",
    "Dialect": "suspects.http.oip",
    "Distill": "attacks.distill",
    "Drop": "scoring.matches",
    "Early": "statistics.sequential",
    "Entangled": "schemes.entangled",
    "Extract": "attacks.extract",
    "Fall": "scoring.matches",
    "FeatureSqueezing": "detectors.feature_squeezing",
    "Fill": "schemes.saliency.pattern",
    "Finetune": "attacks.finetune",
    "Gaussian": "schemes._common.triggers",
    "GradCam": "models.gradcam",
    "Guarded": "suspects.wrappers.guarded",
    "Hardened": "suspects.wrappers.wrapped",
    "HttpJson": "suspects.http.http_json",
    "IPGuard": "schemes.ipguard",
    "Images": "data.images",
    "JPEG": "suspects.wrappers.wrapped",
    "Layers": "models.layers",
    "Ledger": "suspects.http.ledger",
    "Likeness": "attacks.distill",
    "Limits": "suspects.http.transport",
    "Local": "suspects.local",
    "Mapping": "suspects.http.mapping",
    "Measure": "tasks",
    "Median": "detectors.feature_squeezing",
    "Mistakes": "schemes.mistakes",
    "MobileFaceNet": "models.mobilefacenet",
    "Natural": "schemes._common.triggers",
    "Near": "scoring.matches",
    "Negatives": "schemes.negatives",
    "Neighbours": "detectors.neighbours",
    "Noise": "attacks.noise",
    "Noisy": "suspects.wrappers.wrapped",
    "NonLocalMeans": "detectors.feature_squeezing",
    "Norm": "perturb.pgd",
    "Oip": "suspects.http.oip",
    "OnPattern": "scoring.matches",
    "OnPatternAgainst": "scoring.matches",
    "Onnx": "suspects.onnx",
    "Origin": "schemes.tafa",
    "Outcome": "verdicts.verdict",
    "Overwrite": "attacks.overwrite",
    "Own": "schemes.saliency.objectives",
    "Owner": "protocols",
    "Partitioned": "schemes.partitioned",
    "Patterns": "schemes._common.triggers",
    "Preprocess": "claims.claim",
    "Protected": "protocols",
    "Prune": "attacks.prune",
    "PruneFilters": "attacks.prune_filters",
    "PruneNeurons": "attacks.prune_neurons",
    "Published": "schemes.saliency.objectives",
    "Quantize": "attacks.quantize",
    "Reading": "scoring.readings",
    "Recalibrate": "attacks.recalibrate",
    "Regression": "tasks",
    "Removal": "attacks.prune_filters",
    "ResNet18": "models.resnet",
    "Residual": "schemes.residual",
    "ResizePad": "suspects.wrappers.wrapped",
    "Response": "suspects.wrappers.guarded",
    "Retrain": "attacks.retrain",
    "Rounded": "suspects.wrappers.wrapped",
    "Saliency": "schemes.saliency.scheme",
    "Search": "perturb.adam",
    "Shift": "scoring.matches",
    "Sight": "detectors.deep_svdd",
    "Similarity": "tasks",
    "Start": "schemes._common.mixed_training",
    "Stealth": "querying.stealth",
    "Swing": "scoring.matches",
    "TAFA": "schemes.tafa",
    "Test": "claims.claim",
    "Then": "attacks.then",
    "TopOne": "suspects.wrappers.wrapped",
    "Traces": "schemes.traces",
    "Training": "training",
    "Transformed": "suspects.wrappers.wrapped",
    "Transport": "suspects.http.transport",
    "TriggerSet": "schemes.trigger_set",
    "Turn": "scoring.matches",
    "VGG11": "models.vgg",
    "Verdict": "verdicts.verdict",
    "Within": "scoring.matches",
    "Zhang": "schemes.zhang",
    "calibrate": "verdicts.calibrate",
    "calibration": "verdicts.calibrate",
    "load": "data.images",
    "load_weights": "models.weights",
    "prepared": "models.prepared",
    "save_weights": "models.weights",
    "stealth_of": "querying.stealth",
    "train": "training",
    "verify": "verdicts.verify",
}


def __dir__() -> list[str]:
    return sorted(HOME)


def __getattr__(name: str) -> object:
    if name not in HOME:
        raise AttributeError(f"module 'ownmark' has no attribute {name!r}")
    return getattr(import_module(f"ownmark.{HOME[name]}"), name)
