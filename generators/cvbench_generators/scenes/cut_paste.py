"""Cut, paste and learn: fitting, sampling, saving and loading.

Dwibedi, Misra and Hebert, "Cut, Paste and Learn", ICCV 2017 (arXiv 1708.01642): the same scene in several blendings,
so that a detector cannot learn the seam; truncation, occlusion and distractors. Ghiasi et al., "Simple Copy-Paste",
CVPR 2021 (arXiv 2012.07177): onto real pictures whose own objects stay annotated, less what is covered.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from cvbench.contracts import Progress, Sampler, Workplace
from cvbench.datasets import load_dataset
from cvbench.errors import NotApplicable, counted
from cvbench.plugins import make_options, options_json
from cvbench.samples import Dataset, IntArray, Pictures, UInt8Array
from cvbench.scenes import BoxedImages, InstanceImages
from cvbench.seeds import derive_seed
from cvbench_generators.saved_sampler import read_back
from cvbench_generators.scenes import CUT, INPAINTED, Blend, CutPasteOptions
from cvbench_generators.scenes.annotating import Visibility, annotated
from cvbench_generators.scenes.backgrounds import inpainted, textures
from cvbench_generators.scenes.composing import Scene, draw_scene
from cvbench_generators.scenes.drawn_objects import drawn_objects
from cvbench_generators.scenes.layout import Layouts, learnt_layouts
from cvbench_generators.scenes.objects import objects_of, whole_objects
from cvbench_generators.scenes.pasting import paste
from cvbench_generators.scenes.stock import Stock

FORMAT = 1
CHUNK_BYTES = 64 * 2**20  # of pictures: large ones come in smaller chunks


def fit(train: Dataset, options: CutPasteOptions, seed: int, progress: Progress, workplace: Workplace) -> Sampler:
    """Cut the objects, learn how they are laid out, and make the backgrounds.

    Raises :class:`NotApplicable` for pictures without objects or annotated otherwise.
    """
    objects, notes = objects_of(train, options.things, options.least_pixels, derive_seed(seed, "boxes"), progress)
    pictures = cast(Pictures, train)
    if not len(whole_objects(objects, options.least_pixels)):
        there = f"none of their {counted(len(objects.labels), 'object')} has least_pixels of {options.least_pixels}"
        why = f"; {there} and is no crowd" if len(objects.labels) else ""
        raise NotApplicable(f"there is no object to cut in the {len(train)} training pictures{why}")
    backgrounds = pictures
    if options.texture_folder is not None:
        backgrounds = textures(options.texture_folder, train.spec, derive_seed(seed, "textures"))
    elif options.backgrounds == INPAINTED:
        backgrounds = inpainted(pictures, objects, progress)
    layouts = learnt_layouts(train if isinstance(train, BoxedImages) else objects, options.overlap)
    parameters = 0
    if options.objects != CUT:
        objects, said, parameters = drawn_objects(objects, options, derive_seed(seed, "objects"), progress, workplace)
        notes += said
    if options.same_scene and (ways := len(options.blend)) > 1:
        notes += (f"each scene is blended {ways} ways ({', '.join(options.blend)}): {ways} pictures show one scene",)
    stock = Stock(backgrounds, objects, layouts, options, drawn=options.objects != CUT)
    return CutPasteSampler(stock, notes, parameters)


@dataclass(frozen=True)
class CutPasteSampler(Sampler):
    """Scenes without end. The k-th depends on the seed and k alone, so chunks of any size give the same."""

    stock: Stock
    notes: tuple[str, ...] = ()
    parameter_count: int = 0

    def sample(self, count: int, *, seed: int, class_counts: IntArray | None = None) -> Iterator[Pictures]:
        """As :meth:`Sampler.sample`. Raises :class:`NotApplicable` for ``class_counts``: a scene has no class."""
        if class_counts is not None:
            raise NotApplicable("a scene has objects of several classes: it cannot be asked for by class")
        spec, options = self.stock.backgrounds.spec, self.stock.options
        least = Visibility(options.least_visible, options.least_pixels)
        chunk = max(1, CHUNK_BYTES // (spec.height * spec.width * spec.channels))
        for start in range(0, count, chunk):
            made = list(self._scenes(range(start, min(start + chunk, count)), seed))
            images = np.stack([_picture(scene, blend, self.stock.backgrounds) for scene, blend in made])
            yield annotated(images, [scene for scene, _ in made], self.stock.backgrounds, least)

    def _scenes(self, places: range, seed: int) -> Iterator[tuple[Scene, Blend]]:
        blends = self.stock.options.blend
        times = len(blends) if self.stock.options.same_scene else 1
        scene, number = None, -1
        for place in places:
            if scene is None or place // times != number:
                number = place // times
                rng = np.random.default_rng(derive_seed(seed, "scene", number))
                scene = draw_scene(self.stock, rng)
            yield scene, blends[place % times if times > 1 else int(rng.integers(len(blends)))]

    def save(self, folder: Path) -> None:
        for name, part in (("backgrounds", self.stock.backgrounds), ("objects", self.stock.objects)):
            (folder / name).mkdir()
            part.save(folder / name)
        self.stock.layouts.save(folder / "layouts.npz")
        description = {
            "format": FORMAT,
            "options": options_json(self.stock.options),
            "drawn": self.stock.drawn,
            "notes": list(self.notes),
            "parameter_count": self.parameter_count,
        }
        (folder / "scenes.json").write_text(json.dumps(description, indent=1))


def _picture(scene: Scene, blend: Blend, backgrounds: Pictures) -> UInt8Array:
    image = np.asarray(backgrounds.images[scene.background])
    image = (image[:, ::-1] if scene.flipped else image).copy()
    for patch in scene.patches:
        # Cloned over an object, a distractor would take on its colours, where the annotation has a hole.
        plainly = patch.label is None and blend == "poisson"
        paste(image, patch, "none" if plainly else blend)
    return image


def load(folder: Path) -> CutPasteSampler:
    """The sampler that was saved there.

    Raises :class:`DataError` for a file that is missing, cut short or of another version.
    """
    with read_back(folder / "scenes.json", FORMAT) as description:
        stock = Stock(
            cast(Pictures, load_dataset(folder / "backgrounds")),
            cast(InstanceImages, load_dataset(folder / "objects")),
            Layouts.load(folder / "layouts.npz"),
            make_options(CutPasteOptions, description["options"]),
            bool(description["drawn"]),
        )
        return CutPasteSampler(stock, tuple(description["notes"]), int(description["parameter_count"]))
