"""HDF5 files that others give us: opened only where everything lies inside the file itself."""

import os
from pathlib import Path
from typing import Any

from q1net_msroi.utils.errors import UserError, show


def open_given(path: str | os.PathLike[str], remedy: str) -> Any:
    """Open an HDF5 file for reading; `remedy` ends the message, like "make it with gen_data.py".

    Raises `UserError` for a missing or damaged file, and for one that names other files (external links, external
    storage, virtual datasets): it could make us read whatever lies on the disk. Soft links are refused with them,
    because one may lead through an external link.
    """
    import h5py

    name = show(path)
    if not Path(path).exists():
        raise UserError(f"{name} does not exist; {remedy}")
    try:
        if not Path(path).is_file():  # a pipe would be waited for
            raise OSError
        file = h5py.File(path, "r")
        link = file.visititems_links(lambda at, link: None if isinstance(link, h5py.HardLink) else at)
        foreign = file.visititems(
            lambda at, item: at if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual) else None
        )
    except Exception:  # h5py raises whatever the damage makes it meet: OSError, RuntimeError, KeyError, ValueError ...
        raise UserError(f"{name} is not a whole HDF5 file; {remedy}") from None
    if link is not None:
        raise UserError(f"{name}: {show(link)} is a link to another place; {remedy}")
    if foreign is not None:
        raise UserError(f"{name}: the data of {show(foreign)} lie in another file; {remedy}")
    return file
