"""The tuned numbers of the maps; the top_k and the threshold of the class rules are their authors', and flags."""

from dataclasses import dataclass

from q1net_msroi.utils.settings import tuned

CHOSEN = "115 COCO photographs with object masks, 60 of OSIE with gaze; nothing was trained on them"
REFIT = "scripts/measure_maps.py"


@dataclass(frozen=True, eq=False, repr=False)  # what is not generated does not slow the start
class MapSettings:
    """All of them, frozen."""

    # Features begin one stride inside the top and left edge, so looking from both ends leaves no blind edge.
    energy_scales: str = tuned(
        "256,448t,768,1056t", "pixels", "long sides at which energy looks, t: turned", CHOSEN, refit=REFIT
    )
    class_side: int = tuned(320, "pixels", "long side at which classes are scored", CHOSEN, refit=REFIT)
    guide_share: int = tuned(40, "", "long side over the guided filter's radius", CHOSEN, refit=REFIT)
    guide_epsilon: float = tuned(1e-3, "squared luma 0..1", "variance under which an area is flat", CHOSEN, refit=REFIT)
    guide_step: int = tuned(2, "", "the filter's slopes are found at the work size over this", "set by hand, for speed")
    work_side: int = tuned(1056, "pixels", "long side of a map before it is stretched", "a bound on memory")
    largest_scale: int = tuned(4096, "pixels", "largest of --scales", "a bound on time: 60 times the default's")


MAPS = MapSettings()
