"""The encoder: level rules, the mixture of JPEG qualities, the search for the size, what is reported."""
