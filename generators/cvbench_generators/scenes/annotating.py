"""What can be seen of a scene's objects: exact masks and boxes after everything that covers them.

An object mostly hidden, by others or by the picture's border, is not annotated, as real annotators leave it out; its
pixels stay in the picture. A semantic mask needs no such rule: every pixel has the class that is seen there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cvbench.samples import BoolArray, Pictures, UInt8Array
from cvbench.scenes import BoxedImages, InstanceImages, SegmentedImages, tight_box
from cvbench_generators.scenes.backgrounds import void_label
from cvbench_generators.scenes.composing import Scene
from cvbench_generators.scenes.pieces import Piece, as_instances, pieces_of

Owners = npt.NDArray[np.int16]  # (H, W): which patch is seen at a pixel, counted from 1; 0 is the background


@dataclass(frozen=True)
class Visibility:
    """Of an object's pixels, the least share and the least number that must be seen for it to be annotated."""

    share: float
    pixels: int

    def enough(self, seen: BoolArray, whole: int) -> bool:
        """Whether so much is seen of an object of ``whole`` pixels."""
        return int(np.count_nonzero(seen)) >= max(self.pixels, self.share * whole)


def annotated(images: UInt8Array, scenes: Sequence[Scene], backgrounds: Pictures, least: Visibility) -> Pictures:
    """The finished pictures (N, H, W, C) with their scenes' annotation, of the kind that the backgrounds have."""
    spec = backgrounds.spec
    if isinstance(backgrounds, SegmentedImages):
        return SegmentedImages(spec, images, np.stack([_painted(scene, backgrounds) for scene in scenes]))
    owners = [_owners(scene, spec.height, spec.width) for scene in scenes]
    pasted = [_pasted(scene, own, least) for scene, own in zip(scenes, owners, strict=True)]
    if isinstance(backgrounds, InstanceImages):
        kept = [_kept(scene, own, backgrounds, least) for scene, own in zip(scenes, owners, strict=True)]
        return as_instances(spec, images, [old + new for old, new in zip(kept, pasted, strict=True)])
    assert isinstance(backgrounds, BoxedImages)
    rows = [
        _kept_boxes(scene, own, backgrounds, least) + [(piece.box, piece.label, False) for piece in new]
        for scene, own, new in zip(scenes, owners, pasted, strict=True)
    ]
    boxes, labels, crowd = ([[row[part] for row in own] for own in rows] for part in range(3))
    return BoxedImages.of(spec, images, *(list(map(np.array, part)) for part in (boxes, labels, crowd)))


def _painted(scene: Scene, backgrounds: SegmentedImages) -> UInt8Array:
    """The class seen at each pixel (H, W); a distractor has none."""
    whole_mask = backgrounds.masks[scene.background]
    mask: UInt8Array = (whole_mask[:, ::-1] if scene.flipped else whole_mask).copy()
    for patch in scene.patches:
        whole, part = patch.inside(*mask.shape)
        mask[whole][patch.mask[part]] = void_label(backgrounds.spec) if patch.label is None else patch.label
    return mask


def _owners(scene: Scene, height: int, width: int) -> Owners:
    owners = np.zeros((height, width), np.int16)
    for number, patch in enumerate(scene.patches, start=1):
        whole, part = patch.inside(height, width)
        owners[whole][patch.mask[part]] = number
    return owners


def _pasted(scene: Scene, owners: Owners, least: Visibility) -> list[Piece]:
    """What is seen of the pasted objects."""
    pieces = []
    for number, patch in enumerate(scene.patches, start=1):
        whole, _ = patch.inside(*owners.shape)
        seen = owners[whole] == number
        if patch.label is not None and least.enough(seen, patch.whole):
            pieces.append(Piece(patch.label, whole[1].start, whole[0].start, seen).tight())
    return pieces


def _kept(scene: Scene, owners: Owners, backgrounds: InstanceImages, least: Visibility) -> list[Piece]:
    """What is seen of the background's own objects; one that nothing covers is as it was.

    A crowd stays annotated however little of it is seen: no pixel of it may count as background.
    """
    pieces, width = [], owners.shape[1]
    for piece in pieces_of(backgrounds, scene.background):
        if scene.flipped:
            piece = Piece(piece.label, width - piece.box[2], piece.y, piece.mask[:, ::-1], piece.crowd)
        x1, y1, x2, y2 = piece.box
        covered = owners[y1:y2, x1:x2] > 0
        if (piece.mask & covered).any():
            seen = piece.mask & ~covered
            if not (seen.any() if piece.crowd else least.enough(seen, int(np.count_nonzero(piece.mask)))):
                continue
            piece = Piece(piece.label, x1, y1, seen, piece.crowd).tight()
        pieces.append(piece)
    return pieces


def _kept_boxes(
    scene: Scene, owners: Owners, backgrounds: BoxedImages, least: Visibility
) -> list[tuple[Sequence[float], int, bool]]:
    """As :func:`_kept` for boxes, each taken to be full of its object: box, label and crowd flag."""
    kept: list[tuple[Sequence[float], int, bool]] = []
    own, width = backgrounds.objects(scene.background), owners.shape[1]
    for number in range(own.start, own.stop):
        x1, y1, x2, y2 = backgrounds.boxes[number].tolist()
        if scene.flipped:
            x1, x2 = width - x2, width - x1
        left, top = int(x1), int(y1)
        seen = owners[top : int(np.ceil(y2)), left : int(np.ceil(x2))] == 0
        if not seen.all():
            if not (seen.any() if backgrounds.crowd[number] else least.enough(seen, seen.size)):
                continue
            a, b, c, d = tight_box(seen)
            x1, y1, x2, y2 = max(x1, left + a), max(y1, top + b), min(x2, left + c), min(y2, top + d)
        kept.append(((x1, y1, x2, y2), int(backgrounds.labels[number]), bool(backgrounds.crowd[number])))
    return kept
