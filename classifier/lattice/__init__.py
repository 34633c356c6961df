"""The quantisation lattice that JPEG leaves in a picture's own DCT coefficients, read exactly."""
