"""What readers of pictures with masks, boxes or instances share: a format lists its scenes, this opens them.

A format says which pictures there are and how each one's annotation is read. Here pictures are decoded, brought
to one size together with their annotation, put into one array, and kept in the cache; and everything that is wrong
is found on the same way, by :class:`~cvbench.readers.findings.Findings` that do not stop at the first problem.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, cast

import numpy as np
from annotated_types import Ge, Gt, Lt

from cvbench.contracts import Finding, Reader, Splits
from cvbench.datasets import gather
from cvbench.errors import DataError, counted
from cvbench.readers.decoded import decoded_once, listing_key
from cvbench.readers.findings import Findings, summed_up
from cvbench.readers.items import Item, items_of, named
from cvbench.readers.letterbox import Letterbox
from cvbench.readers.objects import Box, sound_boxes, sound_instances
from cvbench.readers.pictures import TURNED, conversions, decode, grey_among_rgb, unequal
from cvbench.readers.places import WHICH_FOLDER
from cvbench.regimes import split_real
from cvbench.samples import AnnotationKind, DatasetSpec, Pictures, UInt8Array
from cvbench.scenes import IGNORED, BoxedImages, Instance, InstanceImages, SegmentedImages
from cvbench.seeds import derive_seed

SPLITS = ("train", "val", "test")
INSTEAD = {  # of a test split, by the splits that are there
    frozenset({"train", "val"}): "there is no test split: val is tested on",
    frozenset({"train"}): "there is no test split: a part of train is drawn for it by a seed",
    frozenset({""}): "is not split: a part is drawn for test by a seed",
}
READING = 2  # raise it when the same files give other annotations
LEAST_SIDE = 1e-3  # pixels: a scaled box below this is as good as empty

Annotation = UInt8Array | Sequence[Box] | Sequence[Instance]


@dataclass(frozen=True)
class SceneOptions:
    """``size``: height and width that pictures are brought to, their aspect kept, the rest padded.

    ``channels``: 1 or 3, else as the files say. ``test_fraction`` and ``split_seed`` split data that is not split.
    """

    size: tuple[Annotated[int, Ge(1)], Annotated[int, Ge(1)]] | None = None
    channels: Annotated[int, Ge(1)] | None = None
    test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2
    split_seed: int = 0


@dataclass(frozen=True)
class Scene:
    """One picture of a split ("" when the data is not split), and how its annotation is read.

    ``annotation`` is given the picture's height and width, as EXIF turns it, and where to tell what is wrong.
    It returns a mask uint8 (H, W), boxes or instances, as the listing's kind says. ``sources``: the files it reads.
    """

    split: str
    picture: Path
    annotation: Callable[[int, int, Findings], Annotation]
    sources: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Listing:
    """All scenes of a data set, before any picture is decoded."""

    kind: AnnotationKind
    classes: tuple[str, ...]
    scenes: tuple[Scene, ...]


class SceneReader(Reader):
    """A reader of one format of annotated pictures; a subclass says how they are listed."""

    Options = SceneOptions
    version: ClassVar[int] = 1  # raise it when the same files give other annotations

    @abstractmethod
    def listed(self, root: Path, findings: Findings) -> Listing:
        """What the folder holds; what is wrong with it goes to the findings."""

    def place(self, root: Path | None) -> Path:
        """Where the data lies. Raises :class:`DataError` when that is nowhere."""
        if root is None:
            raise DataError("needs a folder", where=type(self).__name__.lower(), hint=WHICH_FOLDER)
        if not root.is_dir():
            raise DataError("there is no such folder", where=str(root), hint="set root:")
        return root

    def open(self, root: Path | None) -> Splits:
        place = self.place(root)
        options = self._options()
        listing = self._whole(self.listed(place, Findings(strict=True)), place)
        parts = {
            split: self._opened(place, listing, [scene for scene in listing.scenes if scene.split == split])
            for split in SPLITS
            if any(scene.split == split for scene in listing.scenes)
        }
        channels = options.channels or max(part.spec.channels for part in parts.values())
        parts = {split: _in_channels(part, channels) for split, part in parts.items()}
        for split in ("train", "test"):
            if split not in parts:
                raise DataError(f"the {split} split has no pictures", where=str(place))
        return Splits(parts["train"], parts["test"], parts.get("val"))

    def _options(self) -> SceneOptions:
        options: SceneOptions = self.options
        if options.channels not in (None, 1, 3):
            raise DataError(f"channels must be 1 (grey) or 3 (RGB), not {options.channels}")
        return options

    def _whole(self, listing: Listing, root: Path) -> Listing:
        """The listing, split by a seed where there is one part alone; without a test split, val is tested on."""
        if not listing.scenes:
            raise DataError("no annotated picture is found", where=str(root))
        splits = {scene.split for scene in listing.scenes}
        if splits == {"train", "val"}:
            scenes = [replace(s, split="test" if s.split == "val" else s.split) for s in listing.scenes]
            return replace(listing, scenes=tuple(scenes))
        if splits not in ({""}, {"train"}):
            return listing
        options = self._options()
        seed = derive_seed(options.split_seed, "scene split")
        count = len(listing.scenes)
        test = set(split_real(np.zeros(count, np.int64), fraction=options.test_fraction, seed=seed)[0].tolist())
        if len(test) == count:
            raise DataError(f"{count} pictures cannot be split into train and test", where=str(root), hint="add some")
        scenes = [replace(s, split="test" if place in test else "train") for place, s in enumerate(listing.scenes)]
        return replace(listing, scenes=tuple(scenes))

    # ------------------------------------------------------------------------------------ pictures

    def _opened(self, root: Path, listing: Listing, scenes: Sequence[Scene]) -> Pictures:
        options, kind = asdict(self.options), listing.kind.value
        settings = [READING, self.version, type(self).__name__, root.name, options, listing.classes, kind]
        files = [
            (file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name, number, file)
            for number, scene in enumerate(scenes)
            for file in (scene.picture, *scene.sources)
        ]
        return cast(Pictures, decoded_once(listing_key(settings, files), lambda: self._read(root, listing, scenes)))

    def _read(self, root: Path, listing: Listing, scenes: Sequence[Scene]) -> Pictures:
        """One data set of all scenes. Raises :class:`DataError` for the first that is broken."""

        def read(scene: Scene) -> Pictures | None:
            return self._one(root, listing, scene, Findings(strict=True))

        first = read(scenes[0])
        if first is not None:  # a grey one may be among RGB ones
            _refuse_more_than_memory(len(scenes), replace(first.spec, channels=self._options().channels or 3), root)
        with ThreadPoolExecutor() as pool:
            pictures = [part for part in (first, *pool.map(read, scenes[1:])) if part is not None]
        sizes = {(part.spec.height, part.spec.width) for part in pictures}
        if len(sizes) > 1:
            raise _unequal(sizes, root)
        channels = max(part.spec.channels for part in pictures)
        spec = replace(pictures[0].spec, channels=channels)
        whole: Pictures = gather([_in_channels(part, channels) for part in pictures], spec)
        return whole

    def _one(self, root: Path, listing: Listing, scene: Scene, findings: Findings) -> Pictures | None:
        """A data set of this picture alone; None when it has a problem that does not stop the findings."""
        options = self._options()
        before = len(findings.found)
        try:
            pixels = decode(scene.picture, None, options.channels)
            height, width = pixels.shape[:2]
            annotation = scene.annotation(height, width, findings)
            data = _brought_to(pixels, annotation, listing, options.size, root.name, scene, findings)
            return None if any(finding.level == "problem" for finding in findings.found[before:]) else data
        except DataError as error:
            findings.blame(error)
            return None

    # ------------------------------------------------------------------------------------- checking

    def check(self, root: Path) -> Iterator[Finding]:
        yield from self.inspect(root)[0]

    def inspect(self, root: Path | None) -> tuple[list[Finding], list[Item]]:
        """Everything that is wrong or handled, file by file, and every picture that can be read; never raises."""
        findings = Findings(strict=False)
        items: list[Item] = []
        sizes: set[tuple[int, ...]] = set()
        try:
            root = self.place(root)
            listing = self.listed(root, findings)
            told = frozenset(scene.split for scene in listing.scenes)
            may_lack = told == {"train"} and any(finding.level == "problem" for finding in findings.found)
            if not may_lack:  # else what is broken may be the other splits
                if told in INSTEAD:
                    findings.note(root, INSTEAD[told])
                listing = self._whole(listing, root)
            converted: dict[str, list[str]] = {}
            channels: Counter[int] = Counter()
            for scene in listing.scenes:
                data = self._one(root, listing, scene, findings)
                if data is not None:
                    for what in conversions(scene.picture):
                        converted.setdefault(what, []).append(scene.picture.name)
                    channels[data.spec.channels] += 1
                    sizes.add((data.spec.height, data.spec.width))
                    items += _item(root, scene, data)
            for what, names in converted.items():
                fits = f", and the annotation must fit that ({named(names)})" if what == TURNED else ""
                findings.note(root, f"{counted(len(names), 'picture')} {what}{fits}")
            for what in grey_among_rgb(channels):
                findings.note(root, what)
            if len(sizes) > 1:
                findings.blame(_unequal(sizes, root))
        except DataError as error:
            findings.blame(error)
        return list(summed_up(findings.found, str(root))), items


def _item(root: Path, scene: Scene, data: Pictures) -> Iterator[Item]:
    name = scene.picture.relative_to(root).as_posix() if scene.picture.is_relative_to(root) else str(scene.picture)
    for item in items_of(Splits(_in_channels(data, 3), data.select([]))):
        yield replace(item, split=scene.split, name=name)


def _brought_to(
    pixels: UInt8Array,
    annotation: Annotation,
    listing: Listing,
    size: tuple[int, int] | None,
    name: str,
    scene: Scene,
    findings: Findings,
) -> Pictures:
    """The picture with its annotation on a canvas of this size, as a data set of one."""
    height, width, channels = pixels.shape
    fit = Letterbox(height, width, size or (height, width))
    spec = DatasetSpec(name, listing.kind, listing.classes, *fit.size, channels)
    images = fit.picture(pixels)[None]
    if listing.kind is AnnotationKind.MASK:
        return SegmentedImages(spec, images, fit.mask(cast(UInt8Array, annotation), IGNORED)[None])
    if listing.kind is AnnotationKind.INSTANCES:
        instances = sound_instances(cast(Sequence[Instance], annotation), scene.picture, findings)
        scaled = [replace(one, mask=fit.boolean(one.mask)) for one in instances]
        kept = [one for one in scaled if one.mask.any()]
        if len(kept) < len(scaled):
            findings.note(scene.picture, f"{len(scaled) - len(kept):,} too small for {size}: dropped")
        return InstanceImages.of_instances(spec, images, [kept])
    boxes = sound_boxes(cast(Sequence[Box], annotation), height, width, scene.picture, findings)
    corners = fit.boxes(np.array([box.corners for box in boxes], np.float64).reshape(-1, 4))
    corners = corners.astype(np.float32).clip(0, (fit.size[1], fit.size[0]) * 2)
    there = ((corners[:, 2:] - corners[:, :2]) > LEAST_SIDE).all(axis=1)
    return BoxedImages.of(
        spec,
        images,
        [corners[there]],
        [np.array([box.label for box in boxes], np.int64)[there]],
        [np.array([box.crowd for box in boxes], np.bool_)[there]],
    )


def _in_channels(data: Any, channels: int) -> Any:
    """Grey pictures as RGB where others are."""
    if data.spec.channels == channels:
        return data
    images = np.repeat(np.asarray(data.images), channels, axis=3)
    return replace(data, spec=replace(data.spec, channels=channels), images=images)


def _unequal(sizes: set[Any], root: Path) -> DataError:
    told = unequal(sizes, root)
    return DataError(told.what, where=told.where, hint="set the option size: [height, width] to bring them to one")


def _refuse_more_than_memory(count: int, spec: DatasetSpec, root: Path) -> None:
    import psutil

    needed = 2 * count * math.prod((spec.height, spec.width, spec.channels))  # in parts and as one array
    if needed > psutil.virtual_memory().total:
        raise DataError(
            f"{count:,} pictures of {spec.height}x{spec.width} take {needed / 2**30:,.0f} GiB to open",
            where=str(root),
            hint="set the option size: [height, width] to a smaller one",
        )
