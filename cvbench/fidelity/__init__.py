"""How synthetic samples compare with real ones before anything is trained on them."""

PROBE_VERSION = 2  # raise it when the probe learns otherwise
NEIGHBOURHOOD_K = 5  # of density and coverage: their paper's


def fewest_compared(classes: int) -> int:
    """Pictures on each side, below which nothing is said of a set with so many classes."""
    return max(2 * classes, NEIGHBOURHOOD_K + 1)
