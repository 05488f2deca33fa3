"""Where VGG-19 weights come from: names, checksums, the user's cache, and import without a network.

Weights are asked for by name or by the path of a state dict. Whatever they were published as, they are handed out in
one form, that of torchvision's ``vgg19().features``, for input that is normalised as torchvision's is. Their
checksum is that of the numbers, not of the file. What is not here or not intact is an error that says what to do;
nothing ever takes the place of the weights that were asked for.
"""

from faket_dask.weights.catalogue import Entry, fetch, import_file, list_weights, load, verify
from faket_dask.weights.state_dict import Weights

__all__ = ["Entry", "Weights", "fetch", "import_file", "list_weights", "load", "verify"]
