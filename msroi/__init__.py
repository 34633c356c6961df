"""MSROI: find what matters in a photograph and spend the bytes of a standard JPEG there."""
