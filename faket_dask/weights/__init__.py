"""Weights of VGG-19: names, checksums, the user's cache, and import without a network connection.

Weights are requested by name or by the path of a state dict. They are returned in one form, whatever form they were
published in: that of torchvision's ``vgg19().features``, for input that is normalised as torchvision's is. Their
checksum is that of the numbers, not of the file. Missing or damaged weights are an error with a remedy; no others ever
take their place.
"""

from faket_dask.weights.catalogue import Entry, fetch, import_file, list_weights, load, verify
from faket_dask.weights.state_dict import Weights

__all__ = ["Entry", "Weights", "fetch", "import_file", "list_weights", "load", "verify"]
