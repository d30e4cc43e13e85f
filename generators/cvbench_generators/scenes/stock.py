"""What scenes are made of: backgrounds, objects to paste, real layouts, and which of them suit each other."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cvbench.samples import IntArray, Pictures
from cvbench.scenes import BoxedImages, Float32Array, InstanceImages
from cvbench_generators.scenes import REAL, CutPasteOptions
from cvbench_generators.scenes.layout import Layouts
from cvbench_generators.scenes.objects import whole_objects
from cvbench_generators.scenes.pasting import Cutout, cutout_of
from cvbench_generators.scenes.pieces import content_box


@dataclass(frozen=True)
class Stock:
    """``objects``: cut from the layouts' own pictures or, with ``drawn``, one in each drawn picture."""

    backgrounds: Pictures
    objects: InstanceImages
    layouts: Layouts
    options: CutPasteOptions
    drawn: bool
    _whole: IntArray = field(init=False, repr=False)
    _picture_of: IntArray = field(init=False, repr=False)
    _candidates: dict[tuple[int, int], IntArray] = field(init=False, repr=False, default_factory=dict)
    _content: dict[int, Float32Array] = field(init=False, repr=False, default_factory=dict)
    _cutouts: dict[int, Cutout] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        every = np.arange(len(self.objects.labels), dtype=np.int64)
        whole = every if self.drawn else whole_objects(self.objects, self.options.least_pixels)
        object.__setattr__(self, "_whole", whole)
        object.__setattr__(self, "_picture_of", np.searchsorted(self.objects.starts, whole, side="right") - 1)

    @property
    def keeps_objects(self) -> bool:
        """Whether the backgrounds are real pictures with the objects that they have."""
        return self.options.backgrounds == REAL

    def boxes_on(self, background: int) -> Float32Array:
        """(k, 4): the boxes of the objects that a background keeps."""
        own = slice(*self.layouts.starts[background : background + 2]) if self.keeps_objects else slice(0)
        return self.layouts.boxes[own]

    def crowds_on(self, background: int) -> Float32Array:
        """(k, 4): the boxes of the crowds that a background keeps."""
        pictures = self.backgrounds
        if not (self.keeps_objects and isinstance(pictures, BoxedImages)):
            return np.zeros((0, 4), np.float32)
        own = pictures.objects(background)
        return pictures.boxes[own][pictures.crowd[own]]

    def content(self, background: int) -> Float32Array:
        """(4,): the box of a background without its padding."""
        if background not in self._content:
            self._content[background] = np.array(content_box(self.backgrounds.images[background]), np.float32)
        return self._content[background]

    def lenders(self, background: int) -> IntArray:
        """The training pictures that lend this background objects and layout: those that look most like it."""
        looks = self.layouts.looks
        if self.options.texture_folder is not None:
            return np.arange(len(looks), dtype=np.int64)
        return self.layouts.alike(looks[background], self.options.alike)  # as it was with its objects

    def candidates(self, background: int, label: int) -> IntArray:
        """Numbers of the objects of a class that suit a background; of any picture, where the lenders have none."""
        key = background, label
        if key not in self._candidates:
            of_class = self.objects.labels[self._whole] == label
            lent = of_class & np.isin(self._picture_of, self.lenders(background)) & (not self.drawn)
            self._candidates[key] = self._whole[lent if lent.any() else of_class]
        return self._candidates[key]

    def cutout(self, number: int) -> Cutout:
        """The object with this number."""
        if number not in self._cutouts:
            self._cutouts[number] = cutout_of(self.objects, number)
        return self._cutouts[number]
