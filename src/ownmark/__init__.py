"""ownmark proves whose a vision model is: a scheme makes a claim, a suspect answers, `verify` gives a verdict.

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
    from ownmark.claim import Claim as Claim
    from ownmark.claim import Preprocess as Preprocess
    from ownmark.claim import Test as Test
    from ownmark.data import Images as Images
    from ownmark.data import load as load
    from ownmark.detectors.deep_svdd import DeepSVDD as DeepSVDD
    from ownmark.detectors.deep_svdd import Sight as Sight
    from ownmark.detectors.feature_squeezing import ColourDepth as ColourDepth
    from ownmark.detectors.feature_squeezing import FeatureSqueezing as FeatureSqueezing
    from ownmark.detectors.feature_squeezing import Median as Median
    from ownmark.detectors.feature_squeezing import NonLocalMeans as NonLocalMeans
    from ownmark.detectors.neighbours import Neighbours as Neighbours
    from ownmark.fingerprint import Search as Search
    from ownmark.match import Agreement as Agreement
    from ownmark.match import Change as Change
    from ownmark.match import Drop as Drop
    from ownmark.match import Fall as Fall
    from ownmark.match import Near as Near
    from ownmark.match import OnPattern as OnPattern
    from ownmark.match import OnPatternAgainst as OnPatternAgainst
    from ownmark.match import Reading as Reading
    from ownmark.match import Shift as Shift
    from ownmark.match import Swing as Swing
    from ownmark.match import Turn as Turn
    from ownmark.match import Within as Within
    from ownmark.mixed import Start as Start
    from ownmark.models.layers import Layers as Layers
    from ownmark.models.mobilefacenet import MobileFaceNet as MobileFaceNet
    from ownmark.models.prepared import prepared as prepared
    from ownmark.models.resnet import ResNet18 as ResNet18
    from ownmark.models.vgg import VGG11 as VGG11
    from ownmark.models.weights import load_weights as load_weights
    from ownmark.models.weights import save_weights as save_weights
    from ownmark.objectives import Contrast as Contrast
    from ownmark.objectives import Own as Own
    from ownmark.objectives import Published as Published
    from ownmark.pattern import Fill as Fill
    from ownmark.perturb import Descent as Descent
    from ownmark.perturb import Norm as Norm
    from ownmark.protocols import Alarm as Alarm
    from ownmark.protocols import Owner as Owner
    from ownmark.protocols import Protected as Protected
    from ownmark.saliency import GradCam as GradCam
    from ownmark.schemes.characteristic import Band as Band
    from ownmark.schemes.characteristic import Characteristic as Characteristic
    from ownmark.schemes.confer_ae import ConferAE as ConferAE
    from ownmark.schemes.entangled import Entangled as Entangled
    from ownmark.schemes.ipguard import Aim as Aim
    from ownmark.schemes.ipguard import IPGuard as IPGuard
    from ownmark.schemes.mistakes import Mistakes as Mistakes
    from ownmark.schemes.negatives import Negatives as Negatives
    from ownmark.schemes.partitioned import Partitioned as Partitioned
    from ownmark.schemes.saliency import Saliency as Saliency
    from ownmark.schemes.tafa import TAFA as TAFA
    from ownmark.schemes.tafa import Origin as Origin
    from ownmark.schemes.trigger_set import TriggerSet as TriggerSet
    from ownmark.schemes.zhang import Zhang as Zhang
    from ownmark.sequence import Early as Early
    from ownmark.stealth import Stealth as Stealth
    from ownmark.stealth import stealth_of as stealth_of
    from ownmark.suspects.client import Client as Client
    from ownmark.suspects.guarded import Guarded as Guarded
    from ownmark.suspects.guarded import Response as Response
    from ownmark.suspects.http_json import HttpJson as HttpJson
    from ownmark.suspects.ledger import Ledger as Ledger
    from ownmark.suspects.local import Local as Local
    from ownmark.suspects.mapping import Mapping as Mapping
    from ownmark.suspects.oip import Dialect as Dialect
    from ownmark.suspects.oip import Oip as Oip
    from ownmark.suspects.onnx import Onnx as Onnx
    from ownmark.suspects.transport import Limits as Limits
    from ownmark.suspects.transport import Transport as Transport
    from ownmark.suspects.wrapped import JPEG as JPEG
    from ownmark.suspects.wrapped import BitDepth as BitDepth
    from ownmark.suspects.wrapped import Blur as Blur
    from ownmark.suspects.wrapped import Hardened as Hardened
    from ownmark.suspects.wrapped import Noisy as Noisy
    from ownmark.suspects.wrapped import ResizePad as ResizePad
    from ownmark.suspects.wrapped import Rounded as Rounded
    from ownmark.suspects.wrapped import TopOne as TopOne
    from ownmark.suspects.wrapped import Transformed as Transformed
    from ownmark.tasks import Classification as Classification
    from ownmark.tasks import Measure as Measure
    from ownmark.tasks import Regression as Regression
    from ownmark.tasks import Similarity as Similarity
    from ownmark.training import Training as Training
    from ownmark.training import train as train
    from ownmark.triggers import Content as Content
    from ownmark.triggers import Gaussian as Gaussian
    from ownmark.triggers import Natural as Natural
    from ownmark.triggers import Patterns as Patterns
    from ownmark.verdict import Outcome as Outcome
    from ownmark.verdict import Verdict as Verdict
    from ownmark.verdict import calibrate as calibrate
    from ownmark.verdict import calibration as calibration
    from ownmark.verdict import verify as verify

HOME = {
    "Agreement": "match",
    "Aim": "schemes.ipguard",
    "Alarm": "protocols",
    "Band": "schemes.characteristic",
    "BitDepth": "suspects.wrapped",
    "Blur": "suspects.wrapped",
    "Change": "match",
    "Characteristic": "schemes.characteristic",
    "Claim": "claim",
    "Classification": "tasks",
    "Client": "suspects.client",
    "ColourDepth": "detectors.feature_squeezing",
    "ConferAE": "schemes.confer_ae",
    "Content": "triggers",
    "Contrast": "objectives",
    "DeepSVDD": "detectors.deep_svdd",
    "Descent": "perturb",
    "Dialect": "suspects.oip",
    "Distill": "attacks.distill",
    "Drop": "match",
    "Early": "sequence",
    "Entangled": "schemes.entangled",
    "Extract": "attacks.extract",
    "Fall": "match",
    "FeatureSqueezing": "detectors.feature_squeezing",
    "Fill": "pattern",
    "Finetune": "attacks.finetune",
    "Gaussian": "triggers",
    "GradCam": "saliency",
    "Guarded": "suspects.guarded",
    "Hardened": "suspects.wrapped",
    "HttpJson": "suspects.http_json",
    "IPGuard": "schemes.ipguard",
    "Images": "data",
    "JPEG": "suspects.wrapped",
    "Layers": "models.layers",
    "Ledger": "suspects.ledger",
    "Likeness": "attacks.distill",
    "Limits": "suspects.transport",
    "Local": "suspects.local",
    "Mapping": "suspects.mapping",
    "Measure": "tasks",
    "Median": "detectors.feature_squeezing",
    "Mistakes": "schemes.mistakes",
    "MobileFaceNet": "models.mobilefacenet",
    "Natural": "triggers",
    "Near": "match",
    "Negatives": "schemes.negatives",
    "Neighbours": "detectors.neighbours",
    "Noise": "attacks.noise",
    "Noisy": "suspects.wrapped",
    "NonLocalMeans": "detectors.feature_squeezing",
    "Norm": "perturb",
    "Oip": "suspects.oip",
    "OnPattern": "match",
    "OnPatternAgainst": "match",
    "Onnx": "suspects.onnx",
    "Origin": "schemes.tafa",
    "Outcome": "verdict",
    "Overwrite": "attacks.overwrite",
    "Own": "objectives",
    "Owner": "protocols",
    "Partitioned": "schemes.partitioned",
    "Patterns": "triggers",
    "Preprocess": "claim",
    "Protected": "protocols",
    "Prune": "attacks.prune",
    "PruneFilters": "attacks.prune_filters",
    "PruneNeurons": "attacks.prune_neurons",
    "Published": "objectives",
    "Quantize": "attacks.quantize",
    "Reading": "match",
    "Recalibrate": "attacks.recalibrate",
    "Regression": "tasks",
    "Removal": "attacks.prune_filters",
    "ResNet18": "models.resnet",
    "ResizePad": "suspects.wrapped",
    "Response": "suspects.guarded",
    "Retrain": "attacks.retrain",
    "Rounded": "suspects.wrapped",
    "Saliency": "schemes.saliency",
    "Search": "fingerprint",
    "Shift": "match",
    "Sight": "detectors.deep_svdd",
    "Similarity": "tasks",
    "Start": "mixed",
    "Stealth": "stealth",
    "Swing": "match",
    "TAFA": "schemes.tafa",
    "Test": "claim",
    "Then": "attacks.then",
    "TopOne": "suspects.wrapped",
    "Training": "training",
    "Transformed": "suspects.wrapped",
    "Transport": "suspects.transport",
    "TriggerSet": "schemes.trigger_set",
    "Turn": "match",
    "VGG11": "models.vgg",
    "Verdict": "verdict",
    "Within": "match",
    "Zhang": "schemes.zhang",
    "calibrate": "verdict",
    "calibration": "verdict",
    "load": "data",
    "load_weights": "models.weights",
    "prepared": "models.prepared",
    "save_weights": "models.weights",
    "stealth_of": "stealth",
    "train": "training",
    "verify": "verdict",
}


def __dir__() -> list[str]:
    return sorted(HOME)


def __getattr__(name: str) -> object:
    if name not in HOME:
        raise AttributeError(f"module 'ownmark' has no attribute {name!r}")
    return getattr(import_module(f"ownmark.{HOME[name]}"), name)
