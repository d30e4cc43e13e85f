"""What of a clip is evaluated, by MOTChallenge's protocol, in the form that TrackEval's metrics read.

An object counts however little of it can be seen: visibility plays no part. Boxes that match an ignored one are taken
out before anything is counted, and the ignored ones with them; so these are neither hits nor misses.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from cvbench.clips import Clip, Tracks
from cvbench.samples import BoolArray
from cvbench_tasks.tracking.overlap import overlaps

MATCH = 0.5  # overlap from which a box is taken for an object's


def evaluated(found: Tracks, clip: Clip, label: int) -> dict[str, Any]:
    """The clip's true tracks of one class and those found, as a sequence of TrackEval: ids count from 0."""
    true = _chosen(clip.tracks, clip.tracks.labels == label)
    found = _chosen(found, found.labels == label)
    found = _chosen(found, ~_on_ignored(found, true, len(clip)))
    true = _chosen(true, ~true.ignored)
    true_names, true_ids = np.unique(true.ids, return_inverse=True)
    found_names, found_ids = np.unique(found.ids, return_inverse=True)
    frames = [(true.rows(frame), found.rows(frame)) for frame in range(len(clip))]
    return {
        "num_timesteps": len(clip),
        "num_gt_dets": len(true),
        "num_tracker_dets": len(found),
        "num_gt_ids": len(true_names),
        "num_tracker_ids": len(found_names),
        "gt_ids": [true_ids[theirs] for theirs, _ in frames],
        "tracker_ids": [found_ids[ours] for _, ours in frames],
        "similarity_scores": [overlaps(true.boxes[theirs], found.boxes[ours]) for theirs, ours in frames],
    }


def _on_ignored(found: Tracks, true: Tracks, length: int) -> BoolArray:
    """bool (M,): found boxes whose best match is an ignored object, among all objects."""
    on = np.zeros(len(found), np.bool_)
    for frame in range(length) if true.ignored.any() else ():
        theirs, ours = true.rows(frame), found.rows(frame)
        overlap = overlaps(true.boxes[theirs], found.boxes[ours])
        numbers, places = linear_sum_assignment(np.where(overlap >= MATCH, overlap, 0), maximize=True)
        matched = overlap[numbers, places] >= MATCH
        on[ours][places[matched]] = true.ignored[theirs][numbers[matched]]
    return on


def _chosen(tracks: Tracks, rows: BoolArray) -> Tracks:
    return Tracks(*(getattr(tracks, part.name)[rows] for part in fields(tracks)))
