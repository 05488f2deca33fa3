"""How precisely the network computes, by name: apart from it, so that a name does not bring PyTorch along."""

from typing import Literal

Precision = Literal["float32", "mixed", "bfloat16"]
