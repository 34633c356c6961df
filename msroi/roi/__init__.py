"""The network that finds regions of interest, and the maps made from it."""
