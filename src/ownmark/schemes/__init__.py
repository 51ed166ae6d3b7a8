"""Every scheme: one file and one import line each."""

from ownmark.schemes.saliency import Saliency

SCHEMES = (Saliency,)
