"""The pictures of a folder, or of it and all its subfolders, by their place in it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from q1net_msroi.utils import images, journal
from q1net_msroi.utils.errors import UserError, note, show


def find_pictures(root: Path, recursive: bool = False, without: Iterable[Path] = ()) -> list[Path]:
    """Return the pictures in `root`, relative to it, sorted; those in folders `without` (outputs) are left out.

    So is a subfolder that holds the journal of a folder job, with a word about it: its pictures are another's outputs.
    Raises `UserError` for a folder that is missing or holds no picture, and where one of `without` is `root` itself.
    """
    found = [path.relative_to(root) for path in images.find_images(root, recursive)]
    inside = []
    for folder in without:
        if folder.resolve() == root.resolve():
            raise UserError(f"the output folder {show(folder)} is the input folder too; choose another")
        if folder.resolve().is_relative_to(root.resolve()):
            inside.append(folder.resolve().relative_to(root.resolve()))
    kept = [path for path in found if not any(path.is_relative_to(folder) for folder in inside)]
    written = {
        folder
        for folder in {parent for path in kept for parent in path.parents if parent != Path()}
        if any((root / folder).glob(f"*{journal.SUFFIX}"))
    }
    for folder in sorted(written):
        note(f"left out: {show(root / folder)}, whose pictures were written by a folder job")
    kept = [path for path in kept if written.isdisjoint(path.parents)]
    if not kept:
        raise UserError(f"no pictures in {show(root)} but those that were written there")
    return kept
