"""The registry of detectors: one file and one import line per detector."""

from ownmark.detectors.deep_svdd import DeepSVDD as DeepSVDD
from ownmark.detectors.feature_squeezing import FeatureSqueezing as FeatureSqueezing
from ownmark.detectors.neighbours import Neighbours as Neighbours
from ownmark.protocols import Detector
from ownmark.registries import kinds

DETECTORS: tuple[type[Detector], ...] = kinds(vars(), __name__)
