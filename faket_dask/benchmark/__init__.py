"""Time and memory of the style transfer on this machine, beside the figures of the paper's Table 2."""
