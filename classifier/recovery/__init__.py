"""The JPEG behind a picture: its quantised coefficients, recovered from the pixels and proven by decoding them."""
