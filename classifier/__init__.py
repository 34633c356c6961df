"""Q1Net: how strongly was this picture JPEG-compressed, from its pixels alone?"""

import os

# The lattice's matrix products are small: BLAS threads only get into the way of the threads that take a picture each.
# Must be set before NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
