"""Statistical evidence that a vision model derives from yours: a scheme makes a claim, a suspect answers, `verify` judges.

The names in `__init__.pyi` are loaded when they are first used, so that the judge's tools never import torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
