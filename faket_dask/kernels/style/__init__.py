"""Style transfer: Gram matrices of a reference, and the two ways towards them.

Names are loaded when they are first used, so that the memory model, which works without a network, does not import
PyTorch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
