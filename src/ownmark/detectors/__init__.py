"""The registry of detectors: one file and one import line per detector."""

from ownmark.detectors.deep_svdd import DeepSVDD
from ownmark.detectors.feature_squeezing import FeatureSqueezing
from ownmark.detectors.neighbours import Neighbours
from ownmark.protocols import Detector

DETECTORS: tuple[type[Detector], ...] = (DeepSVDD, FeatureSqueezing, Neighbours)
