"""A mask's outline along the edges of its pixels, as one polygon: filled again, it is the mask."""

from __future__ import annotations

import numpy as np

from cvbench.samples import BoolArray, IntArray

Point = tuple[int, int]


def outline(mask: BoolArray) -> IntArray:
    """int64 (k, 2) x and y: all parts and holes of a bool (H, W) mask, strung together by lines without width."""
    loops = list(_loops(mask))
    start = loops[0][0]
    points: list[Point] = []
    for loop in loops:
        points += [*loop, loop[0], start]
    return np.array(points[:-2] if len(loops) == 1 else points, np.int64)


def _loops(mask: BoolArray) -> list[list[Point]]:
    """The corners of each closed line between the mask and the rest."""
    follows: dict[Point, list[Point]] = {}
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    for beside, begin, end in (  # clockwise round every pixel: its upper, right, lower and left edge
        (padded[:-2, 1:-1], (0, 0), (1, 0)),
        (padded[1:-1, 2:], (1, 0), (1, 1)),
        (padded[2:, 1:-1], (1, 1), (0, 1)),
        (padded[1:-1, :-2], (0, 1), (0, 0)),
    ):
        for y, x in np.argwhere(inside & ~beside).tolist():
            follows.setdefault((x + begin[0], y + begin[1]), []).append((x + end[0], y + end[1]))
    loops = []
    while follows:
        first = point = next(iter(follows))
        loop = [first]
        while True:
            ends = follows[point]
            point = ends.pop()
            if not ends:
                del follows[loop[-1]]
            if point == first:
                break
            loop.append(point)
        loops.append(_corners(loop))
    return loops


def _corners(loop: list[Point]) -> list[Point]:
    """Without the points on a straight line between their neighbours."""
    return [
        point
        for before, point, after in zip([loop[-1], *loop[:-1]], loop, [*loop[1:], loop[0]], strict=True)
        if (point[0] - before[0]) * (after[1] - point[1]) != (point[1] - before[1]) * (after[0] - point[0])
    ]
