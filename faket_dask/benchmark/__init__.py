"""How fast and how hungry the style transfer is on this machine, beside the figures of the paper's Table 2."""
