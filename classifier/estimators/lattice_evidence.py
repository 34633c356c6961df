"""What the lattice's answer rests on, in words and as plain data."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from q1net_msroi.classifier.estimators.quantisation import Quantisation
from q1net_msroi.classifier.estimators.result import Estimate, Evidence, any_of, named, number
from q1net_msroi.classifier.lattice import history, known

TABLES = ("luma_table", "chroma_table")  # which are told apart from the rest


@dataclass(frozen=True)
class Earlier:
    """A stronger compression before the last one, on the grid that begins at `phase` (y, x).

    On the last one's grid, `nats` is by how much two compressions explain the picture better than one; on another,
    `standard_errors` how far its lattice stands out from the other grids'. `tie_set` are qualities that explain it as
    well.
    """

    quality: int
    phase: tuple[int, int]
    nats: float | None = None
    standard_errors: float | None = None
    tie_set: tuple[int, ...] | None = None

    def told(self) -> dict[str, Any]:
        """Return what is known of it, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def line(self) -> str:
        """Return it in words, such as `quality 39 or 40 before, on the grid at [0, 0]`."""
        return f"quality {any_of(self.tie_set or (self.quality,))} before, on the grid at {list(self.phase)}"


def earlier_of(first: history.First | None) -> Earlier | None:
    """Return what the blocks tell of an earlier compression as evidence."""
    if first is None:
        return None
    gain = round(first.gain, 1)
    if first.tie_set is None:
        return Earlier(first.quality, first.phase, standard_errors=gain)
    return Earlier(first.quality, first.phase, gain, tie_set=first.tie_set)


@dataclass(frozen=True, kw_only=True)
class LatticeEvidence(Evidence):
    """What the blocks show, of which `blocks` could say something.

    `verdict` is compressed, never, changed (since a compression) or unknown; `tables` standard or not standard: then
    `family` names them, `written_by` who is known to write them, and `steps` of them could be read; luma's may be a
    standard one and chroma's that of another `chroma_quality`; `luma_table` and `chroma_table` are the steps (64), 0
    where they are not told. `turned`: rows and columns changed places since, by a
    quarter turn or a mirror; `partly`: the lattice fails in parts of the picture; `colours`: RGB where the channels
    hold it, not luma. `nats` is the log-likelihood ratio against no lattice, `margin` against the next quality. Not
    `answerable`: a network's intervals do not hold either.
    """

    kind: ClassVar[str] = "lattice"
    verdict: str
    tables: str | None = None
    family: str | None = None
    quality: int | None = None
    margin: float | None = None
    nats: float = 0.0
    phase: tuple[int, int] | None = None
    noise: str | None = None
    subsampling: str | None = None
    steps: int | None = None
    written_by: str | None = None
    chroma_quality: int | None = None
    luma_table: tuple[int, ...] | None = None
    chroma_table: tuple[int, ...] | None = None
    blocks: int = 0
    answerable: bool | None = None
    turned: bool | None = None
    partly: bool | None = None
    colours: str | None = None
    earlier: Earlier | None = None
    tie_set: tuple[int, ...] | None = None

    @property
    def earlier_quality(self) -> float | None:
        """The quality of an earlier compression, None without traces of one."""
        return None if self.earlier is None else float(self.earlier.quality)

    @property
    def changed(self) -> str:
        """How the picture seems to have been changed since it was compressed."""
        if self.verdict == "changed":
            return "changed since a compression"
        return "turned by a quarter" if self.turned else "changed a little" if self.partly else ""

    @property
    def software(self) -> str:
        """Who writes such tables."""
        return self.written_by or ""

    @property
    def quantisation(self) -> Quantisation | None:
        """The tables that the pixels tell, where they were asked for or are not standard."""
        if self.luma_table is None:
            return None
        if self.chroma_quality is not None:
            fits = f"fits libjpeg's of {self.quality} for luma and {self.chroma_quality} for chroma"
        elif self.standard:
            fits = f"fits libjpeg's of quality {any_of(self.tie_set or (self.quality or 0,))}"
        elif self.family == "mozjpeg":
            fits = "fits mozjpeg's"
        elif self.written_by:
            fits = f"fits {self.written_by}; no other of {len(known.pairs())} known tables"
        else:
            fits = f"who wrote them is not told: none of {len(known.pairs())} known tables alone fits"
        return Quantisation(self.luma_table, self.chroma_table, self.subsampling, fits)

    @property
    def standard(self) -> bool:
        """Whether no other tables than the standard ones were found."""
        return self.tables != "not standard"

    def sentence(self, answer: Estimate) -> str:
        """Return the answer as a sentence; it names all qualities that the blocks leave."""
        if self.chroma_quality is not None:
            both = f"{number(answer.quality)} for luma and {self.chroma_quality} for chroma"
            said = f"compressed at {both}, which is not standard"
        elif not self.standard:
            whose = "mozjpeg's tables, which" if self.family == "mozjpeg" else "tables that"
            said = f"compressed with {whose} are not standard, near to {number(answer.quality)}{answer.range_text}"
        elif len(answer.tie_set) > 1:
            said = f"compressed at {any_of(answer.tie_set)}: the pixels cannot tell these apart"
        else:
            said = f"compressed at {number(answer.quality)}"
        return (
            said
            + (", as RGB" if self.colours else "")
            + (", turned by a quarter since (or its table was, which is not standard)" if self.turned else "")
            + (", changed a little since" if self.partly else "")
        )

    def values(self) -> dict[str, Any]:
        """Return what is told, without what was not looked for."""
        looked_for = ("subsampling" if self.standard else "quality", "earlier") if self.tables else ()
        told = {name: value for name, value in super().values().items() if value is not None or name in looked_for}
        told = {name: value for name, value in told.items() if name not in TABLES}
        if self.earlier is not None:
            told["earlier"] = self.earlier.told()
        return told

    def lines(self) -> list[str]:
        """Return one line, an earlier compression last."""
        told = named(self.values() | {"earlier": None})
        return [f"lattice: {told}" + ("" if self.earlier is None else f", {self.earlier.line()}")]


def seen_by(answer: Estimate) -> LatticeEvidence:
    """Return the lattice's evidence of its own answer."""
    assert isinstance(answer.evidence, LatticeEvidence)
    return answer.evidence
