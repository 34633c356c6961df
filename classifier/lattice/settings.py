"""Every tuned number of the lattice family: what it decides, where it comes from, which error rate it stands for.

LLR is a log-likelihood ratio in nats (natural logarithms): by how much "quantised with the tables of this quality"
explains a picture's blocks better than "never quantised". Code reads `LATTICE`; `describe(LATTICE)` of utils/settings
lists the entries, scripts/fit_lattice.py measures those with a `target`, the false-alarm rate that they are to keep.
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from q1net_msroi.utils.settings import tuned

HAND, TIME, PRIOR, CONVENTION = "set by hand", "set by hand, a bound on time", "a prior, set by hand", "a convention"
DECODED = "coefficients of decoded photographs"
A_BLOCK, A_COEFFICIENT, ERRORS, GREYS = "nats a block", "nats a coefficient", "standard errors", "grey levels"
SCALES = (0.04, 0.5, 1.2, 3.0, 7.5, 18.0, 45.0, 110.0, 280.0)
SIGMAS = (0.22, 0.4, 0.7, 1.2, 2.0)
ENTRIES = "known tables left out of the prior, 60 photographs of pristine_train"
SMALL = "300 standard and 300 known tables, crops of 64 and 128 pixels; pristine_train"
FAST = "240 standard tables, a quarter each by the fast transform, 60 pairs: at most 17 nats; pristine_train"
SPLICES = "scripts/measure_splices.py; pristine_train"
CONTEXTS = (1, 2, 3, 5, 8, 13, 21, 34, 55)
T = TypeVar("T")


def _threshold(value: T, decides: str, rate: str, target: float, unit: str = "nats") -> T:
    """Declare a threshold whose false alarms scripts/fit_lattice.py counts.

    `rate` are the alarms at this value, of all pictures where one is false, made of 60 photographs of pristine_train
    and of 41 of pristine_val; for histories and fits, some are saved with other tables (`--tables`).
    """
    return tuned(value, unit, decides, HAND, rate, "scripts/fit_lattice.py --only NAME", target)


class Noise(NamedTuple):
    """What a decoder and what came after it added to DCT coefficients: two normals and an unexplained share."""

    sigma: float  # standard deviation of the core
    tail_sigma: float
    tail: float  # share of the wider normal
    outliers: float  # share spread over the whole cell


class SmallSteps(NamedTuple):
    """Steps up to `steps` are believed where enough coefficients lie beyond `reach`."""

    reach: int
    steps: int


class TableKinds(NamedTuple):
    """How often tables are standard, known, relatives of known ones (closely, loosely), or anything."""

    standard: float
    known: float
    related: tuple[float, float]
    any: float


class Fits(NamedTuple):
    """How well a story has to explain the stored coefficients of a file."""

    share: float  # of what any story could gain, at least: two compressions
    missing: float  # nats a coefficient that stay unexplained, at most: one


@dataclass(init=False, frozen=True, eq=False, repr=False)  # what is not generated does not slow the start
class Lattice:
    """All settings of the family, in the order of its modules."""

    # Kinds of noise. A pixel's rounding has variance 1/12. A block that is constant along rows or columns repeats the
    # rounding of 8 pixels, so that its 8 coefficients have variance 8/12.
    noise_exact: Noise = tuned(Noise(0.280, 0.50, 0.05, 2e-4), "", "a decoder's own pixels", DECODED)
    noise_line: Noise = tuned(Noise(0.816, 1.2, 0.05, 1e-3), "", "blocks constant along a side", "8/12, see above")
    noise_chroma: Noise = tuned(Noise(0.36, 0.70, 0.12, 2e-3), "", "chroma, upsampling undone", DECODED)
    noise_smooth: Noise = tuned(Noise(0.30, 0.75, 0.30, 2e-4), "", "a decoder's own pixels, smooth blocks", DECODED)
    noise_chroma_wide: Noise = tuned(Noise(0.42, 0.80, 0.12, 2e-3), "", "the same, higher frequencies", DECODED)
    noise_chroma_wider: Noise = tuned(Noise(0.50, 0.95, 0.12, 2e-3), "", "the same, higher still", DECODED)
    noise_chroma_widest: Noise = tuned(Noise(0.62, 1.20, 0.12, 2e-3), "", "the same, the highest, and DC", DECODED)
    noise_blurred: Noise = tuned(Noise(0.289, 0.82, 0.30, 5e-3), "", "changed a little since", HAND)
    noise_noisy: Noise = tuned(Noise(0.85, 1.3, 0.10, 1e-2), "", "noise of about 1 grey level since", HAND)
    noise_coarse: Noise = tuned(Noise(1.50, 2.5, 0.20, 1e-2), "", "quantised again, finely", HAND)

    # Blocks that are read.
    most_blocks: int = tuned(8192, "blocks", "the sample of a large picture", "0.5 megapixels have 8000; enough")
    textured_range: int = tuned(4, "grey levels", "above it four pixels of a block show texture", HAND)
    flat_repeats: int = tuned(1, "blocks", "flat blocks of one value that count", "more are one surface, not evidence")
    clipping_blocks: int = tuned(100, "blocks", "fewer do not show clipping before a change of brightness", HAND)
    clipping_share: float = tuned(0.0005, "of all values", "how frequent a clipped end is at least", HAND)
    clipping_excess: float = tuned(3, "times", "how frequent a clipped end is against the next value", HAND)

    # The prior of coefficients and its fit.
    laplacian_scales: tuple[float, ...] = tuned(SCALES, "", "of a coefficient; the first is a spike at zero", PRIOR)
    normal_sigmas: tuple[float, ...] = tuned(SIGMAS, "", "smooth pictures: sums of sensor noise", PRIOR)
    fit_rounds: int = tuned(20, "", "of expectation-maximisation", "the likelihood moves by less than a nat afterwards")
    component_hint: float = tuned(0.05, "coefficients", "added to each component: none dies out", PRIOR)
    uniform_share: float = tuned(1e-4, "", "share of a uniform prior: every lattice point stays possible", PRIOR)
    bin_growth: float = tuned(1.15, "", "width of a bin that the prior is fitted on, to the one before", TIME)
    near_reach: int = tuned(16, "", "coefficients below it see all points of steps 1 and 2, not the nearest", TIME)
    flat_error: float = tuned(0.002, "", "share of flat blocks that a decoder gives another value", PRIOR)
    ac_presence: float = _threshold(200.0, "LLR of AC alone beyond which DC may be left out", "0/120, 0/82", 0.001)
    ac_tie: float = tuned(50.0, "nats", "LLR of AC below the best: what DC may still choose from", HAND)
    dc_denial: float = tuned(-50.0, "nats", "LLR of DC for all of those: brightness was changed since", HAND)

    # The search for the grid on a sample of windows.
    most_windows: int = tuned(640, "windows", "the sample", TIME)
    sample_reach: int = tuned(64, "", "coefficients of the sample from here up are left out", "small ones show steps")
    first_frequencies: int = tuned(20, "", "AC frequencies of all phases; the best are looked at with more", TIME)
    finalists: int = tuned(8, "phases", "the best by all evidence, looked at with more", TIME)
    faint_finalists: int = tuned(2, "phases", "the same by the lattice alone", TIME)
    finalist_coefficients: int = tuned(20_000, "", "coefficients of a finalist", TIME)
    line_cost: float = tuned(6.0, "nats", "of a block constant along a side", "a step or ramp is one or two of them")
    predictor_contexts: tuple[int, ...] = tuned(CONTEXTS, "grey levels", "activity classes of the gridless code", HAND)
    residual_prior: float = tuned(0.1, "residuals", "added to what fits that code's geometric laws", PRIOR)
    faint_per_block: float = _threshold(1.0, "LLR of a phase only its own blocks prefer", "2/240, 0/164", 0.01, A_BLOCK)
    edge_lines: int = tuned(512, "lines", "looked at for block edges", TIME)
    edge_limit: int = tuned(12, "grey levels", "larger steps are the picture's own", HAND)
    edges_visible: float = _threshold(5.0, "steps at a phase, both ways: a grid is seen", "0/240, 0/164", 0.01, ERRORS)

    # From a reading to a verdict.
    no_other_grid: float = _threshold(1000.0, "LLR beyond which no other grid is looked for", "0/60, 0/41", 0.001)
    presence: float = _threshold(15.0, "LLR of a lattice; 64 phases x 100 qualities are 9", "2/240, 0/164", 0.01)
    presence_on_edges: float = _threshold(2.0, "the same where block edges are seen", "1/240, 0/164", 0.01)
    edges_overrule: float = tuned(100.0, "nats", "LLR of a grid that gives way to one whose edges are seen", HAND)
    never_per_block: float = _threshold(0.3, "how far every lattice is denied: `never`", "0/111, 0/76", 0.01, A_BLOCK)
    never_blocks: int = tuned(100, "blocks", "fewer cannot say `never`", HAND)
    tie: float = _threshold(5.0, "LLR below the best: not told apart", "0/120, 0/82", 0.01)
    most_tied: int = tuned(12, "qualities", "a longer tie set is no answer", CONVENTION)
    widest_tie: int = tuned(40, "qualities", "from the first to the last of a tie set that is an answer", CONVENTION)
    round_number: float = tuned(0.5, "nats", "LLR ahead of multiples of 5", "people choose them; some tables are alike")
    chroma_decides: float = _threshold(15.0, "LLR below the best: among these chroma decides", "0/120, 0/82", 0.001)
    chroma_noises: tuple[tuple[str, float], ...] = tuned(
        (("chroma", 0.0), ("chroma_wide", 0.39), ("chroma_wider", 0.46), ("chroma_widest", 0.56)), "grey levels",
        "kinds of noise, from which standard deviation on", HAND,
    )  # fmt: skip
    chroma_lines: int = tuned(64, "lines", "of chroma, each way, that tell the subsampling", TIME)
    chroma_outlier: float = tuned(64.0, "grey levels squared", "a larger change of chroma counts no more", HAND)
    chroma_repeats: float = tuned(0.02, "times", "changes inside repeated samples, to those between, at most", HAND)
    chroma_halved: float = tuned(1.6, "times", "third differences inside a filtered pair are smaller, surely", HAND)
    chroma_whole: float = tuned(1.15, "times", "the same, at least", HAND)
    chroma_rounding: float = tuned(
        3.5, "grey levels squared", "third differences inside a filtered pair, at most", HAND
    )
    chroma_rounded: tuple[float, float] = tuned(
        (0.6, 1.7), "times", "what a square that tells leaves to what rounding leaves, least and most", HAND
    )
    chroma_blocks: int = tuned(8, "blocks", "of chroma that vary, fewer tell no tables", HAND)
    chroma_denial: float = tuned(100.0, "nats", "the same of chroma", FAST)
    chroma_entries: int = tuned(2, "entries", "of chroma that lack them, at least", FAST)
    chroma_share: float = tuned(
        0.5,
        "",
        "of the free steps' LLR that chroma's other quality explains, at least",
        "own tables 0.04, true ones 0.9",
    )
    chroma_steps: int = tuned(32, "steps", "of chroma read off, to count for what is nearest", HAND)
    chroma_sure: float = tuned(100.0, "nats", "LLR of a lattice in chroma whose tables are told", HAND)
    chroma_explained: float = tuned(
        0.9,
        "",
        "of the free steps' LLR, beyond which no other way is looked for",
        "true ways 0.97; others no presence",
    )
    chroma_squares: int = tuned(1024, "squares", "of chroma that are looked at", TIME)
    inexact_noises: tuple[str, ...] = tuned(("blurred", "noisy", "coarse"), "", "of changed pixels", HAND)
    inexact_finest: int = tuned(94, "quality", "finer steps are no wider than these noises", HAND)
    inexact_every: int = tuned(5, "", "AC frequencies from one to the next that are looked at first", TIME)
    inexact_presence: float = _threshold(60.0, "LLR of a lattice in changed pixels", "0/240, 0/164", 0.01)

    # Drawings: few blocks that differ.
    drawn_share: float = tuned(0.4, "", "of all blocks that speak, below which a picture is a drawing", HAND)
    drawn_points: int = tuned(4, "coefficients", "beyond zero that show a lattice in a drawing, at least", HAND)
    drawn_presence: float = tuned(30.0, "nats", "LLR of a lattice in a drawing", HAND)
    drawn_clipped: float = tuned(200.0, "nats", "the same where clipped blocks alone show it, on another grid", HAND)

    # Two compressions on one grid, then on two.
    pixel_sigma: float = tuned(0.289, "grey levels", "rounding of pixels between the two", "the root of 1/12")
    pair_outliers: float = tuned(0.01, "", "share of coefficients that the first leaves unexplained", PRIOR)
    pair_alternatives: int = tuned(4, "qualities", "last ones that fit, the likeliest first", TIME)
    glance_frequencies: int = tuned(12, "", "frequencies that are looked at first", TIME)
    glance_rounds: int = tuned(8, "", "of expectation-maximisation at that glance", TIME)
    first_finalists: int = tuned(6, "qualities", "first ones looked at with all frequencies", TIME)
    quality_gap: int = tuned(5, "qualities", "between the two", "closer ones leave hardly a hole")
    alone_excess: float = _threshold(
        0.1, "beside the first lattice: less, it explains all", "7/120, 8/82", 0.01, A_COEFFICIENT
    )
    moving_last: int = tuned(90, "quality", "above it the last hardly moves coefficients from the first", HAND)
    last_excess: float = _threshold(0.2, "beside the last lattice, at most", "9/180, 8/123", 0.01, A_COEFFICIENT)
    fine_last: int = tuned(95, "quality", "above it steps are so small that any coefficient is near a point", HAND)
    fine_excess: float = tuned(0.01, A_COEFFICIENT, "the same from there on", HAND)
    fine_error: float = tuned(1.0, "nats", "over the root of their number: what chance adds to it", HAND)
    last_share: float = tuned(0.05, "", "of the free steps' LLR that the last of two has by itself, at least", HAND)
    better_story: float = tuned(1.05, "times", "the LLR of the first alone that two compressions need", HAND)
    last_presence: float = tuned(30.0, "nats", "the same, whatever the share", HAND)
    entry_gain: float = tuned(3.0, "nats", "by which an entry speaks for two compressions", HAND)
    pair_entries: int = tuned(3, "entries", "that speak for two, at least", HAND)
    pair_presence: float = _threshold(60.0, "LLR of two compressions over one", "0/600, 0/410", 0.001)
    pair_share: float = _threshold(0.2, "the same, of what any story could gain", "0/600, 0/410", 0.001, "")
    period_frequencies: int = tuned(20, "", "frequencies of another grid", TIME)
    period_glance: int = tuned(384, "windows", "that the other grids are glanced at", TIME)
    period_worth: float = tuned(4.0, ERRORS, "at that glance: worth a look at more windows and frequencies", TIME)
    period_windows: int = tuned(1536, "windows", "that the other grids are read from", TIME)
    period_coefficients: int = tuned(30, "coefficients", "beyond zero that an error is told for, at least", HAND)
    period_presence: float = _threshold(9.0, "lattice of another grid to the others", "0/360, 0/246", 0.001, ERRORS)
    period_beside: float = _threshold(25.0, "the same where a side of blocks is shared", "0/360, 0/246", 0.001, ERRORS)
    period_alone: float = tuned(1.5, "times", "as far as the next grid", HAND)

    # Parts of a file that another first compression explains, or none.
    splice_blocks: int = tuned(65_536, "blocks", "whose first compression is read; larger pictures: every n-th", TIME)
    splice_rounding: float = tuned(1.2, GREYS, "of decoded coefficients to stored ones, at most", "deviation: 0.29")
    splice_decoded: float = tuned(0.9, "", "of a part's blocks that are that near, at least", HAND)
    splice_frequencies: int = tuned(24, "", "frequencies, those with the most coefficients", TIME)
    splice_classes: int = tuned(6, "classes", "of blocks by how active they are", SPLICES)
    splice_block_nats: float = tuned(20.0, "nats", "of one block that count, at most", SPLICES)
    splice_side: int = tuned(7, "blocks", "of the square around a block that is summed over", SPLICES)
    splice_presence: float = tuned(60.0, "nats", "LLR of a square that begins a part", SPLICES)
    splice_edge: float = tuned(10.0, "nats", "LLR of a square that goes on a part", SPLICES)
    splice_close: int = tuned(3, "blocks", "of the square that tells where a part ends", SPLICES)
    splice_false_alarms: float = tuned(0.01, "of pictures", "in one piece in which a part is told: 0 of 1000", SPLICES)
    splice_regions: int = tuned(8, "regions", "that are looked at closely", TIME)
    splice_proof: float = tuned(60.0, "nats", "LLR of a part and of the rest over the other's story", SPLICES)
    splice_blurs: tuple[float, ...] = tuned(
        (0.6, 1.0, 1.6, 2.5), "grey levels", "changes between two compressions that a lattice may have seen", SPLICES
    )
    splice_least: int = tuned(16, "blocks", "of a part that can say something, at least", SPLICES)
    splice_sharp: float = tuned(0.95, "times", "the LLR of pixels changed between, at least", SPLICES)
    splice_free_frequencies: int = tuned(24, "", "frequencies whose first steps are chosen one by one", TIME)
    splice_free_reach: int = tuned(96, "", "the coarsest of these", TIME)
    splice_free_outliers: float = tuned(0.1, "", "share of coefficients left to a pasted part", SPLICES)
    splice_free_gain: float = tuned(10.0, "nats", "that a free step gains, at least", SPLICES)
    splice_free_entries: int = tuned(6, "entries", "of a first table of free steps", SPLICES)
    splice_rest: Fits = tuned(Fits(0.9, 0.05), f"; {A_COEFFICIENT}", "what is told of the rest has to explain", SPLICES)
    splice_part: Fits = tuned(Fits(0.5, 0.3), f"; {A_COEFFICIENT}", "the same of a part", SPLICES)

    # Blocks with clipped pixels.
    fewest_known: int = tuned(16, "pixels", "of 64 that a block must know", HAND)
    clipped_blocks: int = tuned(128, "blocks", "looked at, those with the most known pixels", TIME)
    clipped_glance: int = tuned(12, "blocks", "the same of all 64 phases", TIME)
    clipped_grids: int = tuned(8, "phases", "likeliest of these that are looked at again", TIME)
    filling_rounds: int = tuned(8, "", "of filling in", "more change nothing")
    clipped_presence: float = _threshold(40.0, "LLR of a lattice in clipped blocks", "1/120, 2/82", 0.01)
    decoder_error: float = tuned(0.12, "grey levels", "standard deviation between decoders before rounding", DECODED)
    pixel_outliers: float = tuned(1e-4, "", "chance of a known pixel that rounding does not explain", PRIOR)
    block_outliers: float = tuned(0.02, "", "share of blocks not explained: values not found, or changed", PRIOR)

    # Quantisation tables that are not standard.
    tables_missed: float = _threshold(100.0, "LLR of free steps that the best story misses", "1/180, 1/123", 0.001)
    tables_missed_share: float = _threshold(0.5, "the same, a share of all", "1/180, 1/123", 0.001, "")
    fine_missed_share: float = tuned(0.05, "", "the same where the best table is fine and none was before", HAND)
    known_misses: float = tuned(0.2, "", "share that a known encoder's tables may miss", HAND)
    step_margin: float = _threshold(10.0, "LLR of a step over all others that is read off", "6/11340, 10/7749", 0.01)
    fewest_steps: int = tuned(10, "steps", "read off, to name a quality", HAND)

    # A table read entry by entry.
    small_luma: SmallSteps = tuned(SmallSteps(2, 3), "grey levels, steps", "what small steps of luma need", HAND)
    small_chroma: SmallSteps = tuned(SmallSteps(6, 16), "grey levels, steps", "the same of chroma", HAND)
    small_step_coefficients: int = tuned(8, "coefficients", "of those, at least", HAND)
    step_evidence: float = tuned(0.7, "", "of the nats that count: entries are not independent", ENTRIES)
    step_chance: float = tuned(0.99, "", "chance of a step that is told", ENTRIES)
    table_kinds: TableKinds = tuned(TableKinds(0.5, 0.2, (0.25, 0.04), 0.01), "", "chances of kinds of tables", PRIOR)
    pair_chance: float = tuned(0.9, "", "chance that chroma's table is that of the pair that luma's is of", PRIOR)
    whole_entries: int = tuned(16, "entries", "of chroma that show, fewer tell no whole table without luma's", HAND)
    turned_nats: float = tuned(10.0, "nats", "of a table turned over the same unturned", PRIOR)
    relative_kinds: tuple[tuple[float, ...], ...] = tuned(
        ((0.70, 0.18, 0.10, 0.02), (0.3, 0.2, 0.3, 0.2)), "",
        "chances that a close and a far relative's step is the same, one beside it, near it, any", PRIOR,
    )  # fmt: skip
    relative_scale: float = tuned(4.0, "times", "by which a relative is coarser or finer than a known table", PRIOR)
    relative_scales: int = tuned(57, "", "of them", TIME)
    closest_relatives: int = tuned(24, "tables", "whose scale is looked at more finely", TIME)
    finer_scales: int = tuned(21, "", "of each", TIME)
    chroma_level: float = tuned(0.2, "", "logarithm of chroma's steps to what luma's expect, of most", "known tables")
    entry_slack: float = tuned(10.0, "nats", "that an entry may lack of its likeliest step", HAND)
    upright_denial: float = tuned(1000.0, "nats", "of a fine table as it lies to it turned: it was turned", HAND)
    luma_denial: float = tuned(20.0, "nats", "that all lack beyond it: luma's table is another", FAST)
    other_dc: float = tuned(60.0, "nats", "LLR of DC's own step, which no brightness makes of AC's", FAST)
    few_nats: float = tuned(400.0, "nats", "LLR of textured blocks below which other tables may be as likely", SMALL)
    unsure_tables: float = tuned(0.45, "", "chance of standard luma tables that is needed there", SMALL)
    coarse_step: int = tuned(8, "", "that does not fit whatever there is; or half of the table's", HAND)
    other_fit: float = tuned(0.2, A_COEFFICIENT, "beside its own lattice, at most", HAND)
    other_excess: float = tuned(0.4, A_COEFFICIENT, "beside the lattice of an entry that denies a table", HAND)
    other_tables: float = tuned(0.01, "", "chance of standard luma tables below which they are other ones", ENTRIES)
    step_shown: float = tuned(2.0, "nats", "by which a step twice as coarse is denied where a coefficient shows", HAND)
    table_chance: float = tuned(1e-7, "", "chance of a whole table to the best one's, from which it counts", TIME)
    relative_spread: float = tuned(0.15, "", "natural logarithm of a step near a relative's to it", PRIOR)

    coarsest_eight_bits: int = tuned(
        5, "quality", "below it steps over 255 may be other ones", "5 clips none that show"
    )
    low_quality: int = tuned(10, "quality", "up to it steps over 255 are looked for", HAND)
    coarse_coefficients: int = tuned(10, "coefficients", "beyond zero that show steps over 255", HAND)
    coarse_off: float = tuned(0.05, "", "of them that may lie off, at most", HAND)

    # Goodness of fit of one table.
    peak_coefficients: int = tuned(10, "coefficients", "in the first peak of an entry that is looked at", HAND)
    peak_share: float = tuned(0.05, "", "of an entry's coefficients beyond zero that make a peak, at least", HAND)
    peak_entries: int = tuned(4, "entries", "fewer have no spread", HAND)
    peak_step: int = tuned(3, "", "finer steps have no peak of their own", HAND)
    peak_reach: float = tuned(1.6, "grey levels", "of a peak to either side, at most", HAND)
    peak_weight: float = tuned(200.0, "coefficients", "more weigh no more", HAND)
    fit_spread: float = _threshold(
        0.15, "spread of the peaks' offsets that denies a table", "0/360, 0/246", 0.01, GREYS
    )
    entry_denial: float = _threshold(
        30.0, "LLR and distance that give an entry another step", "0/300, 1/205", 0.01, "nats"
    )
    few_foreign: int = tuned(1, "entries", "that fast inverse transforms move like other steps", HAND)
    few_touched: int = tuned(3, "entries", "the same where brightness was changed since, which clips pixels", HAND)
    foreign_excess: float = tuned(1.0, A_COEFFICIENT, "beside the lattice of an entry with another step", HAND)
    standard_denial: float = _threshold(
        30.0, "LLR below which textured blocks deny a table", "0/180, 0/123", 0.01, "nats"
    )
    fit_spread_coarse: float = tuned(0.3, GREYS, "the same of coarse tables in pixels changed a little since", HAND)
    free_spread: float = _threshold(0.1, "the same of steps that were chosen one by one", "4/300, 1/205", 0.01, GREYS)
    untouched: float = _threshold(
        0.8, "of the free steps' LLR that entries without a lattice leave, at least", "3/289, 1/200", 0.01, ""
    )
    excess_error: float = tuned(4.0, "nats", "over the root of their number: what chance adds to it", HAND)
    fit_excess: float = _threshold(
        0.5, "further from the lattice than a decoder leaves them", "0/360, 1/246", 0.01, A_COEFFICIENT
    )

    # A file's header, and which evidence speaks.
    header_percentiles: tuple[int, int] = tuned((5, 95), "%", "of single steps' qualities: the interval", CONVENTION)
    widest_table: int = tuned(
        90, "qualities", "of single steps: no table has coarser and finer ones", "known ones: 81 at most"
    )
    most_stored: int = tuned(65_536, "blocks", "whose stored coefficients are read of a file", TIME)

    channel_blocks: int = tuned(3000, "blocks", "of R, G and B read as planes of their own", TIME)
    channel_presence: float = tuned(
        200.0, "nats", "LLR of a lattice in R, G and B", "never and WebP: below 0; YCbCr: 0"
    )

    lowest_never: float = tuned(90.0, "quality", "least of the network for never compressed, without a card", HAND)

    # The map of qualities.
    window_side: int = tuned(64, "pixels", "of a window", HAND)
    most_read: int = tuned(400, "windows", "of the lattice; larger pictures have them further apart", TIME)
    most_patches: int = tuned(6144, "patches", "of the network; larger pictures have them further apart", TIME)
    window_confidence: float = tuned(80.0, "", "of patches that count", "a window has few: they count by weight")
    window_presence: float = _threshold(15.0, "LLR of a lattice in a window", "0/240, 0/164", 0.01)
    window_foreign: float = _threshold(25.0, "LLR by which a window is unlike the main part", "0/120, 0/82", 0.01)
    window_difference: float = tuned(5.0, "qualities", "the same by the network, at least", HAND)
    other_grids: int = tuned(3, "grids", "looked for beside the main part's", TIME)


LATTICE = Lattice()
