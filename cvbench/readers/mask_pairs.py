"""Pictures with a mask file each: ``train/`` and ``trainannot/``, ``images/`` and ``masks/``, and the like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cvbench.errors import DataError
from cvbench.readers.class_lists import HINT, class_files, class_list, names_in_masks
from cvbench.readers.findings import Findings
from cvbench.readers.image_folder import PICTURE_FOLDERS, SPLIT_NAMES
from cvbench.readers.masks import class_mask
from cvbench.readers.pictures import EXTENSIONS, pictures_in
from cvbench.readers.places import find_place
from cvbench.readers.scenes import Listing, Scene, SceneOptions, SceneReader
from cvbench.samples import AnnotationKind

MASK_FOLDERS = ("masks", "annotations", "labels", "mask", "annot")
MASK_ENDINGS = ("", "_mask", "_L")  # of the mask's name after the picture's
MASK_FILES = frozenset({".png", ".bmp", ".tif", ".tiff", ".gif"})  # what loses nothing


@dataclass(frozen=True)
class MaskPairsOptions(SceneOptions):
    """And ``classes``: names of the values 0, 1, …, else from ``classes.txt`` or ``classes.json``.

    ``ignore``: names whose pixels are neither trained on nor scored.
    """

    classes: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


class MaskPairs(SceneReader):
    """Folders of pictures and of masks under the same names."""

    summary = "pictures and PNG masks: images/ and masks/ (split by a seed), or train/ and trainannot/, …; a class list"
    licence = "the user's own"
    Options = MaskPairsOptions

    def listed(self, root: Path, findings: Findings) -> Listing:
        options: MaskPairsOptions = self.options
        folders = list(pair_folders(root))
        for _, pictures, masks in folders:
            if not any(pictures_in(masks)):
                hint = f"a PNG for each picture of {pictures.name}/, under its name"
                raise DataError(f"holds no masks, beside pictures in {pictures.name}/", where=str(masks), hint=hint)
        classes = class_list(root, options.classes)
        if classes is None:
            raise DataError("has no class list", where=str(root), hint=HINT)
        names = names_in_masks(classes, options.ignore, str(root))
        if not folders:
            hint = "images/ and masks/, or train/ and trainannot/ with test/ and testannot/"
            raise DataError("has no folders of pictures and masks", where=str(root), hint=hint)
        scenes = [
            Scene(split, picture, partial(class_mask, mask, classes, options.ignore), (mask, *class_files(root)))
            for split, pictures, masks in folders
            for picture, mask in _pairs(pictures, masks, findings)
        ]
        return Listing(AnnotationKind.MASK, names, tuple(scenes))

    @classmethod
    def recognises(cls, root: Path) -> bool:
        return cls is MaskPairs and any(_meant_for_masks(*folders) for _, *folders in pair_folders(root))


@dataclass(frozen=True)
class CamVidOptions(MaskPairsOptions):
    """As for any mask pairs; the classes are CamVid's own, and what is unlabelled is ignored."""

    classes: tuple[str, ...] = (
        "Sky",
        "Building",
        "Pole",
        "Road",
        "Pavement",
        "Tree",
        "SignSymbol",
        "Fence",
        "Car",
        "Pedestrian",
        "Bicyclist",
        "Unlabelled",
    )
    ignore: tuple[str, ...] = ("Unlabelled",)


class CamVid(MaskPairs):
    """The Cambridge-driving Labeled Video Database as SegNet cut it: 367, 101 and 233 pictures of 360×480."""

    summary = "CamVid: 701 street scenes, 11 classes and void, 360×480 RGB (any part of it, with SegNet's folders)"
    licence = "none stated (Brostow et al. 2008); SegNet's repository: CC BY-NC 4.0"
    Options = CamVidOptions

    def place(self, root: Path | None) -> Path:
        return find_place("camvid", root, download=False, can_download=False)


def pair_folders(root: Path) -> Iterator[tuple[str, Path, Path]]:
    """Split ("" without any), folder of pictures and folder of masks, in the layouts that are known."""
    flat = _first(root, PICTURE_FOLDERS), _first(root, MASK_FOLDERS)
    for split, usual in SPLIT_NAMES.items():
        for name in usual:
            inner = root / name
            candidates = [
                (inner, root / f"{name}annot"),
                (inner, root / f"{name}_labels"),
                (inner, root / f"{name}_masks"),
                (_first(inner, PICTURE_FOLDERS), _first(inner, MASK_FOLDERS)),
                *([(flat[0] / name, flat[1] / name)] if flat[0] and flat[1] else []),
            ]
            found = next(((p, m) for p, m in candidates if p and m and p.is_dir() and m.is_dir()), None)
            if found:
                yield split, *found
                break
    if flat[0] and flat[1] and any(pictures_in(flat[0])):
        yield "", flat[0], flat[1]


def _meant_for_masks(pictures: Path, masks: Path) -> bool:
    """Whether there are masks, or would be: an empty folder and JPEGs are told when they are read."""
    endings = {path.suffix.lower() for path in masks.iterdir()}
    return bool(endings & MASK_FILES) or (endings <= EXTENSIONS and any(pictures_in(pictures)))


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _pairs(pictures: Path, masks: Path, findings: Findings) -> Iterator[tuple[Path, Path]]:
    """Each picture with its mask; what has no partner is a problem."""
    known = {path.stem: path for path in pictures_in(masks) if path.suffix.lower() in MASK_FILES}
    unread = [path for path in pictures_in(masks) if path.suffix.lower() not in MASK_FILES]
    used: set[Path] = set()
    for picture in pictures_in(pictures):
        mask = next((known[picture.stem + end] for end in MASK_ENDINGS if picture.stem + end in known), None)
        if mask is None:
            if other := [path for path in unread if path.stem in {picture.stem + end for end in MASK_ENDINGS}]:
                hint = "save masks as PNG: JPEG changes their values"
                findings.problem(picture, f"its mask is of a type that is not read ({other[0].suffix})", hint)
            else:
                findings.problem(picture, f"has no mask in {masks.name}/", "add a PNG of its name, or remove it")
        elif mask in used:
            findings.problem(picture, f"shares its mask {mask.name} with another picture", "give each its own name")
        else:
            used.add(mask)
            yield picture, mask
    for mask in sorted(set(known.values()) - used):
        findings.problem(mask, f"has no picture in {pictures.name}/", "add it, or remove the mask")
