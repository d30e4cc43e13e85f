"""Bad scenes: `open` says the first fault in one line that names the file, `check-data` says them all."""

import json
import shutil
import tarfile

import numpy as np
import pytest
from PIL import Image

from cvbench.cli.data import looked_at
from cvbench.errors import DataError
from cvbench.plugins import make_plugin
from cvbench.readers import open_dataset, recognise
from tests.conftest import one_line_refusal
from tests.harness.test_readers_scenes import (
    VOC,
    mask,
    picture,
    striped,
    write_coco,
    write_nuclei,
    write_pairs,
    write_voc,
    write_yolo,
)


def problems(reader, root, **options):
    return [f for f in looked_at(make_plugin("readers", reader, options), root, "set")[0] if f.level == "problem"]


def notes(reader, root, **options):
    return [f.what for f in looked_at(make_plugin("readers", reader, options), root, "set")[0] if f.level == "note"]


def refused(reader, root, words, **options):
    """One line when it is opened; the same among the findings when it is checked."""
    with pytest.raises(DataError, match=words) as told:
        open_dataset(reader, "", root, options, 0.0)
    assert "\n" not in str(told.value)
    assert any(finding.what.partition(" (in ")[0] in str(told.value) for finding in problems(reader, root, **options))


# --------------------------------------------------------------------------------------- mask pairs


def pair_faults():
    jpeg = Image.Exif()
    jpeg[0x0112] = 6
    return {
        "unequal size": (lambda r: mask(r / "trainannot/1.png", striped((6, 9))), r"the mask is 6x9, its picture 6x8"),
        "value": (
            lambda r: mask(r / "trainannot/1.png", striped() + 5),
            r"1.png: has the values 5, 6, 7",
        ),
        "16 bits": (lambda r: mask(r / "trainannot/1.png", striped().astype(np.uint16) * 999), r"the values 999, 1998"),
        "colours": (
            lambda r: mask(r / "trainannot/1.png", np.full((6, 8, 3), (9, 9, 8), np.uint8)),
            r"in RGB colours",
        ),
        "no mask": (lambda r: (r / "trainannot/1.png").unlink(), r"train/1.png: has no mask in trainannot"),
        "no picture": (lambda r: (r / "train/1.png").unlink(), r"trainannot/1.png: has no picture in train"),
        "no class list": (lambda r: (r / "classes.txt").unlink(), r"has no class list. set the option classes"),
        "twice": (lambda r: (r / "classes.txt").write_text("a\na\n"), r"classes.txt: names 'a' twice"),
        "torn": (
            lambda r: (r / "trainannot/1.png").write_bytes(b"\x89PNG\r\n\x1a\n"),
            r"1.png: not a mask",
        ),
        "cut": (
            lambda r: (r / "trainannot/1.png").write_bytes((r / "trainannot/2.png").read_bytes()[:60]),
            r"1.png: damaged or cut short",
        ),
        "turned": (
            lambda r: (picture(r / "train/7.jpg", exif=jpeg), mask(r / "trainannot/7.png", striped())),
            r"its picture 8x6 \(as EXIF turns it\)",
        ),
        "empty picture": (lambda r: (r / "train/1.png").write_bytes(b""), r"1.png: an empty file"),
    }


@pytest.mark.parametrize("fault", pair_faults())
def test_broken_mask_pairs(tmp_path, fault):
    root = write_pairs(tmp_path / "pairs")
    break_it, words = pair_faults()[fault]
    break_it(root)
    refused("mask-pairs", root, words)


def test_unknown_colours_are_told_with_their_share(tmp_path):
    root = write_pairs(tmp_path / "pairs")
    for file in root.glob("*annot/*.png"):
        mask(file, np.array([[0, 0, 0], [9, 9, 9], [9, 9, 200]], np.uint8)[striped()])
    (root / "classes.json").write_text('{"a": [0, 0, 0], "b": [9, 9, 9]}')
    refused("mask-pairs", root, r"has 1 colour that the class list lacks, on 33.3% of its pixels: \[9, 9, 200\]")
    for content, words in (("{", "no class list"), ('{"a": [1, 2]}', "three whole numbers"), ("[]", "names no class")):
        (root / "classes.json").write_text(content)
        refused("mask-pairs", root, words)


def test_every_broken_pair_is_told_at_once(tmp_path, cvbench):
    root = write_pairs(tmp_path / "pairs")
    (root / "train/0.png").write_bytes(b"x")
    mask(root / "trainannot/1.png", striped() + 9)
    (root / "testannot/2.png").unlink()
    mask(root / "testannot/1.png", np.full((6, 8), 255, np.uint8))
    said = cvbench("check-data", root)
    assert said.code == 2
    for words in ("0.png: not a picture", "1.png: has the values 9, 10, 11", "2.png: has no mask", "3 problems"):
        assert words in said.out
    assert "holds nothing but ignored pixels" in said.out
    assert "sky" in said.out  # what can be read is counted all the same


def test_black_and_white_masks_are_noted(tmp_path):
    root = write_pairs(tmp_path / "pairs", classes="background\nthing\n")
    for file in root.glob("*annot/*.png"):
        mask(file, striped(classes=2) * np.uint8(255))
    said = notes("mask-pairs", root)
    assert any('255 is ignored; is it a class? Write classes.json: {"background": 0, "thing": 255}' in w for w in said)
    assert any("no training pixel" in note for note in said)
    (root / "classes.json").write_text('{"background": 0, "thing": 255}')
    assert notes("mask-pairs", root) == []
    assert set(open_dataset("mask-pairs", "", root, {}, 0.0).train.masks.ravel()) == {0, 1}


def test_masks_that_are_no_masks_or_not_there(tmp_path, cvbench):
    for number in range(5):
        picture(tmp_path / "images" / f"{number}.png", seed=number)
    (tmp_path / "masks").mkdir()
    one_line = cvbench("check-data", tmp_path)
    assert "read as mask-pairs" in one_line.out
    assert "masks: holds no masks, beside pictures in images/" in one_line.out
    (tmp_path / "classes.txt").write_text("a\nb\n")
    for number in range(5):
        mask(tmp_path / "masks" / f"{number}.jpg", striped(classes=2))
    assert recognise(tmp_path) == "mask-pairs"
    refused("mask-pairs", tmp_path, "its mask is of a type that is not read \\(.jpg\\). save masks as PNG")


def test_a_run_names_the_first_problem_and_the_command_that_lists_all(tmp_path):
    root = write_pairs(tmp_path / "pairs")
    (root / "trainannot" / "1.png").unlink()
    with pytest.raises(DataError, match=r"add a PNG of its name, or remove it; `cvbench check-data /.*pairs --reader"):
        open_dataset("", "", root, {}, 0.0)


def test_problems_of_one_kind_are_told_as_one(tmp_path):
    root = write_pairs(tmp_path / "pairs", count=5)
    for number in range(4):
        (root / "trainannot" / f"{number}.png").unlink()
    (problem,) = problems("mask-pairs", root)
    assert problem.what == (
        "has no mask in trainannot/ (in 4 places: train/0.png, train/1.png, train/2.png and 1 more)"
    )


def test_a_class_without_a_test_pixel_and_masks_of_16_bits_are_noted(tmp_path, cvbench):
    root = write_pairs(tmp_path / "pairs")
    mask(root / "trainannot/1.png", striped().astype(np.uint16))
    for file in (root / "testannot").iterdir():
        mask(file, striped(classes=2))
    assert notes("mask-pairs", root) == [
        "a mask of 16 bits or more: its values count as they are",
        "class 'void' has no test pixel: what is learnt of it is not tested",
    ]
    said = cvbench("check-data", root)
    assert "read as mask-pairs: 3 + 3 pictures with a class per pixel" in said.out
    facts = json.loads(cvbench("check-data", root, "--format", "json").out)
    assert (facts["kind"], facts["size"], facts["pictures"]) == ("mask", [6, 8, 3], {"train": 3, "test": 3})


def test_pixels_are_told_as_pixels_beside_a_problem(tmp_path, cvbench):
    root = write_pairs(tmp_path / "pairs", classes="sky\nroad\n")
    for file in root.glob("*annot/*.png"):
        mask(file, np.arange(48).reshape(6, 8) == 0)
    (root / "train/0.png").write_bytes(b"x")
    said = cvbench("check-data", root).out
    assert "pictures of 2 classes, counted in pixels, those that can be read" in said
    assert "unbalanced" not in said


def test_pictures_of_every_mode_and_of_one_pixel(tmp_path):
    for number, (mode, ending) in enumerate(
        [("L", "png"), ("RGBA", "png"), ("CMYK", "tif"), ("1", "png"), ("RGB", "png")]
    ):
        picture(tmp_path / "images" / f"{number}.{ending}", (1, 1), seed=number + 2, mode=mode)
        mask(tmp_path / "masks" / f"{number}.png", np.zeros((1, 1), np.uint8))
    deep = np.array([[40000]], np.uint16)
    Image.fromarray(deep).save(tmp_path / "images" / "9.png")
    mask(tmp_path / "masks" / "9.png", np.zeros((1, 1), np.uint8))
    (tmp_path / "classes.txt").write_text("a\n")
    splits = open_dataset("mask-pairs", "", tmp_path, {"test_fraction": 0.5}, 0.0)
    assert splits.train.images.shape[1:] == splits.test.images.shape[1:] == (1, 1, 3)
    said = notes("mask-pairs", tmp_path)
    assert any("of 16 bits" in note for note in said)
    assert any("in CMYK" in note for note in said)


# ------------------------------------------------------------------------------------- object masks


def test_broken_object_masks(tmp_path):
    root = write_nuclei(tmp_path / "set", [(8, 8), (8, 8), (8, 9), (8, 8)])
    refused("object-masks", root, r"2 sizes, from 8x8 to 8x9.*set the option size: \[height, width\]")
    mask(root / "id0" / "masks" / "0.png", np.ones((3, 3), np.uint8))
    refused("object-masks", root, r"masks/0.png: the mask is 3x3, its picture 8x8", size=[8, 8])
    mask(root / "id0" / "masks" / "0.png", np.zeros((8, 8), np.uint8))
    (root / "train_ids.txt").write_text("id0\nid9\n")
    refused("object-masks", root, "train_ids.txt: names 'id9', which is not there", size=[8, 8])
    (root / "train_ids.txt").unlink()
    (root / "id3" / "masks" / "2.png").write_bytes((root / "id3" / "masks" / "1.png").read_bytes())
    shutil.rmtree(root / "id1" / "masks")
    (root / "id2" / "images" / "id2.png").unlink()
    picture(root / "id2" / "images" / "id2.png", (8, 9), mode="L")
    said = notes("object-masks", root, size=[8, 8])
    assert "1 object without a pixel: dropped" in said
    assert "1 object there twice: dropped" in said
    assert "has no masks: background" in said
    assert "1 of 4 pictures is grey among RGB ones: made RGB" in said
    (root / "train_ids.txt").write_bytes("é".encode("latin-1"))
    refused("object-masks", root, "train_ids.txt: is not UTF-8 text", size=[8, 8])


@pytest.mark.parametrize("pictures", ["images", "imgs"])
def test_folders_of_other_names_are_no_classes(tmp_path, pictures):
    """Else masks would be pictures of a class, and nothing wrong."""
    for number in range(3):
        picture(tmp_path / pictures / f"{number}.png", seed=number)
        mask(tmp_path / "gt" / f"{number}.png", striped())
    with pytest.raises(DataError, match=r"no reader knows this format.*masks root/images/\*.png and root/masks/\*.png"):
        recognise(tmp_path)


def test_masks_that_were_saved_otherwise(tmp_path):
    root = write_pairs(tmp_path)
    plain = open_dataset("mask-pairs", "", root, {}, 0.0)
    mask(root / "trainannot/1.png", np.repeat(striped()[..., None], 3, axis=2))  # grey, as RGB
    mask(root / "testannot/1.png", striped(), mode="LA")
    (root / "classes.txt").write_text("sky\nroad\nvoid\n", encoding="utf-8-sig")
    again = open_dataset("mask-pairs", "", root, {}, 0.0)
    assert again.train.fingerprint == plain.train.fingerprint
    Image.fromarray(striped().astype(np.float32)).save(root / "trainannot" / "2.tif")
    (root / "trainannot" / "2.png").unlink()
    refused("mask-pairs", root, "2.tif: a mask of floating-point numbers. save it as a PNG of 8 bits")
    upside_down = Image.Exif()
    upside_down[0x0112] = 3
    picture(root / "train" / "0.png", exif=upside_down)
    assert "1 picture turned as EXIF says, and the annotation must fit that (0.png)" in notes("mask-pairs", root)


def test_a_tar_that_leaves_its_folder_or_is_damaged(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "x.txt").write_text("x")
    with tarfile.open(tmp_path / "a" / "evil.tar", "w") as tar:
        tar.add(tmp_path / "x.txt", "../../evil.txt")
    refused("object-masks", tmp_path / "a", "evil.tar: has the name '../../evil.txt', which leaves the folder")
    (tmp_path / "a" / "evil.tar").write_bytes(b"no tar")
    refused("object-masks", tmp_path / "a", "evil.tar: cannot be unpacked")
    link = tarfile.TarInfo("id0/images/link.png")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(tmp_path / "a" / "evil.tar", "w") as tar:
        tar.addfile(link)
    refused("object-masks", tmp_path / "a", "no <id>/images/ folders")


# ------------------------------------------------------------------------------------------- coco


THING = {"id": 1, "image_id": 7, "category_id": 5, "bbox": [1, 1, 3, 4], "segmentation": [[1, 1, 4, 1, 4, 5]]}
COCO_FAULTS = {
    "two points": (THING | {"segmentation": [[1, 1, 4, 1]]}, "annotation 1: a polygon has 2 points"),
    "odd": (THING | {"segmentation": [[1, 1, 4]]}, "annotation 1: a polygon is not a list of x, y"),
    "nan polygon": (
        THING | {"segmentation": [[1, 1, 4, float("nan"), 4, 5]]},
        "a polygon has a coordinate",
    ),
    "rle length": (THING | {"segmentation": {"size": [6, 8], "counts": [3, 4]}}, "has 7 pixels, its picture 6x8 = 48"),
    "rle size": (
        THING | {"segmentation": {"size": [8, 6], "counts": [20, 28]}},
        "annotation 1: its run lengths have the size 8x6, its picture 6x8. height comes first",
    ),
    "rle negative": (THING | {"segmentation": {"size": [6, 8], "counts": [50, -2]}}, "negative or no whole number"),
    "rle letters": (THING | {"segmentation": {"size": [6, 8], "counts": "\x01é"}}, "has the letter"),
    "rle nothing": (THING | {"segmentation": {"size": [6, 8]}}, "neither polygons nor run lengths"),
    "category": (
        THING | {"category_id": 9},
        "annotation 1 is of category 9, which is not there. the",
    ),
    "image": (THING | {"image_id": 9}, "annotation 1 is of picture 9, which is not there"),
    "image as text": (
        THING | {"image_id": "7"},
        "annotation 1 is of picture '7', which is not there. ids are texts in one place and numbers in the other",
    ),
    "image list": (THING | {"image_id": [7]}, r"annotation 1 is of picture \[7\], which is not there"),
    "category mapping": (THING | {"category_id": {}}, "annotation 1 is of category {}, which is not there"),
    "nan": (
        {**THING, "bbox": [1, 1, float("nan"), 2], "segmentation": None},
        r"annotation 1 has a coordinate that is no number: bbox \[1, 1, nan, 2\]",
    ),
    "negative": (
        {**THING, "bbox": [4, 4, -2, 2], "segmentation": None},
        r"annotation 1 has a negative size: bbox \[4, 4, -2, 2\]",
    ),
    "shares": ({**THING, "bbox": [0.1, 0.2, 0.3, 0.4], "segmentation": None}, "boxes of picture 7 look like shares"),
    "no box": ({**THING, "bbox": [1, 2, 3], "segmentation": None}, "annotation 1 has no bbox"),
}


@pytest.mark.parametrize("fault", COCO_FAULTS)
def test_broken_coco_annotations(tmp_path, fault):
    thing, words = COCO_FAULTS[fault]
    refused("coco", write_coco(tmp_path, annotations=[thing]), words, test_fraction=0.5)


def test_broken_coco_files(tmp_path):
    refused("coco", write_coco(tmp_path, annotations=[THING, THING]), "two of the annotation id 1", test_fraction=0.5)
    images = [{"id": 7, "file_name": "a.png", "height": 8, "width": 6}, {"id": 8, "file_name": "b.png"}]
    refused("coco", write_coco(tmp_path, images=images), "picture 7 is 8x6, it is 6x8", test_fraction=0.5)
    images = [{"id": 7, "file_name": "a.png"}, {"id": 8, "file_name": "a.png"}]
    refused("coco", write_coco(tmp_path, images=images), "pictures 7 and 8 have the file 'a.png'", test_fraction=0.5)
    images[1] = {"id": 8, "file_name": "no.png"}
    refused("coco", write_coco(tmp_path, images=images), "picture 8 is not there: 'no.png'", test_fraction=0.5)
    picture(tmp_path.parent / "outside.png")
    images[1] = {"id": 8, "file_name": "../outside.png"}
    refused("coco", write_coco(tmp_path, images=images), "picture 8 leaves the folder", test_fraction=0.5)
    for content, words in (("{", "broken JSON"), ("[]", "has no list 'images'"), ("[" * 99_999, "broken JSON")):
        (tmp_path / "annotations.json").write_text(content)
        refused("coco", tmp_path, words)


def test_what_coco_files_have_that_is_mended_is_noted(tmp_path):
    boxes = [[-3, 1, 5, 4], [2, 2, 0, 3], [20, 20, 3, 3], [1, 1, 3, 3], [1, 1, 3, 3]]
    things = [{**THING, "id": n, "bbox": box, "segmentation": None} for n, box in enumerate(boxes)]
    root = write_coco(tmp_path, annotations=things)
    assert notes("coco", root, test_fraction=0.5)[:6] == [
        "has no annotation: background",
        "is not split: a part is drawn for test by a seed",
        "1 box of no area: dropped",
        "1 box outside the picture of 8x6: dropped",
        "1 box reaching out of the picture of 8x6: clipped",
        "1 box there twice: dropped",
    ]
    splits = open_dataset("coco", "", root, {"test_fraction": 0.5}, 0.0)
    assert sorted([len(splits.train.boxes), len(splits.test.boxes)]) == [0, 2]
    write_coco(tmp_path, annotations=[THING | {"segmentation": [[-5, 1, 4, 1, 4, 1e12]]}])
    assert "a polygon reaching out of the picture of 8x6: cut off" in notes("coco", root, test_fraction=0.5)


def test_boxes_written_as_corners_are_a_problem(tmp_path):
    corners = [[1, 2, 7, 6], [2, 3, 8, 6], [4, 2, 8, 6], [1, 1, 3, 3]]
    things = [{**THING, "id": n, "bbox": box, "segmentation": None} for n, box in enumerate(corners)]
    root = write_coco(tmp_path, annotations=things)
    refused("coco", root, "3 of 4 boxes reach out of their pictures. are these x1, y1, x2, y2", test_fraction=0.5)
    write_coco(tmp_path, annotations=things[1:2] + things[3:])  # half of them: clipped, as ever
    assert "1 box reaching out of the picture of 8x6: clipped" in notes("coco", root, test_fraction=0.5)


def test_masks_that_some_objects_have_are_noted_and_must_be_whole(tmp_path):
    bare = {**THING, "id": 2, "bbox": [2, 2, 3, 3], "segmentation": []}
    root = write_coco(tmp_path, annotations=[THING, bare])
    told = "1 of 2 objects have masks, 1 has none (annotation 2): read as boxes"
    assert told in notes("coco", root, test_fraction=0.5)
    assert not any("masks" in note for note in notes("coco", root, test_fraction=0.5, boxes=True))
    write_coco(tmp_path, annotations=[THING | {"segmentation": [[1, 1, 4, 1]]}, bare])
    refused("coco", root, "annotation 1: a polygon has 2 points", test_fraction=0.5)
    open_dataset("coco", "", root, {"test_fraction": 0.5, "boxes": True}, 0.0)


def test_a_box_that_is_far_from_its_mask_is_noted(tmp_path):
    far = "its bbox and its segmentation are far apart: one of them is wrong"
    assert far not in notes("coco", write_coco(tmp_path, annotations=[THING]), test_fraction=0.5)
    assert far in notes("coco", write_coco(tmp_path, annotations=[THING | {"bbox": [5, 1, 3, 4]}]), test_fraction=0.5)


def test_every_fault_of_every_coco_file_is_told_at_once(tmp_path):
    boxes = ([1, 1, 3], [1, 1, float("nan"), 2], [4, 4, -2, 2])
    things = [{**THING, "id": n, "bbox": box, "segmentation": None} for n, box in enumerate(boxes)]
    write_coco(tmp_path, annotations=things)
    (tmp_path / "annotations.json").rename(tmp_path / "train.json")
    (tmp_path / "val.json").write_text("{")
    said = [finding.what for finding in problems("coco", tmp_path)]
    assert [what[:30] for what in said] == [
        "broken JSON (Expecting propert",
        "annotation 0 has no bbox [x, y",
        "annotation 1 has a coordinate ",
        "annotation 2 has a negative si",
    ]
    assert not any("test split" in note for note in notes("coco", tmp_path))  # the broken file is one
    (tmp_path / "val.json").write_text('{"images": [], "annotations": [], "categories": [{"id": 1, "name": "cow"}]}')
    assert len(problems("coco", tmp_path)) == 4


def test_coco_of_videos_is_refused_where_a_seed_would_split_it(tmp_path):
    write_coco(tmp_path, videos=[{"id": 1, "name": "walk"}])
    refused("coco", tmp_path, "annotations.json: holds 1 video: a seed would draw frames of one apart")
    (tmp_path / "annotations.json").rename(tmp_path / "train.json")
    assert "holds videos: their frames are read as single pictures, without tracks" in notes("coco", tmp_path)


# --------------------------------------------------------------------------------------------- voc

VOC_FAULTS = {
    "broken": (VOC[:-30], "b.xml: broken XML"),
    "entities": ('<!DOCTYPE a [<!ENTITY x "y">]>' + VOC, "defines XML entities"),
    "class": (VOC.replace("dog", "dgo"), "has the class 'dgo'. did you mean 'dog'"),
    "number": (VOC.replace("<xmin>1<", "<xmin>one<"), "a box of 'dog' lacks a coordinate"),
    "missing": (VOC.replace("<xmin>1</xmin>", ""), "a box of 'dog' lacks a coordinate"),
    "nan": (VOC.replace("<xmin>1<", "<xmin>nan<"), "a coordinate that is no number"),
    "negative": (VOC.replace("<xmin>1<", "<xmin>7<"), "a negative size: 6, 1, 4, 6"),
    "size": (VOC.replace("<width>8<", "<width>9<"), "says that its picture is 6x9, it is 6x8"),
    "shares": (VOC.replace(">4<", ">0.4<").replace(">6</y", ">.6</y").replace(">2<", ">0<").replace(">1</x", ">0</x"),
               "look like shares"),
}  # fmt: skip


@pytest.mark.parametrize("fault", VOC_FAULTS)
def test_broken_voc_files(tmp_path, fault):
    xml, words = VOC_FAULTS[fault]
    root = write_voc(tmp_path)
    (root / "Annotations" / "b.xml").write_text(xml)
    refused("voc", root, words, classes=["cat", "dog"])


def test_broken_voc_lists(tmp_path):
    root = write_voc(tmp_path)
    (root / "ImageSets" / "Main" / "val.txt").write_text("c\nz\n")
    refused("voc", root, "val.txt: names 'z', which JPEGImages/ lacks")
    (root / "ImageSets" / "Main" / "val.txt").write_text("a\n")
    refused("voc", root, "val.txt: names 'a', which is in train too")
    (root / "ImageSets" / "Main" / "val.txt").write_bytes("é\n".encode("latin-1"))
    refused("voc", root, "val.txt: is not UTF-8 text")
    (root / "ImageSets" / "Main" / "val.txt").write_text("c\n")
    (root / "Annotations" / "a.xml").unlink()
    assert "has no XML file: background" in notes("voc", root)
    (root / "Annotations" / "z.xml").write_text(VOC)
    refused("voc", root, "z.xml: has no picture in JPEGImages/")


# -------------------------------------------------------------------------------------------- yolo

YOLO_FAULTS = {
    "pixels": ("0 3 2 4 2\n", "1.txt:1: has 3, which is no share of the picture"),
    "nan": ("0 nan 0.5 0.1 0.1\n", "1.txt:1: has a coordinate that is no number"),
    "words": ("0 0.5 0.5 0.1 wide\n", "holds what is no number"),
    "class": ("\n2 0.5 0.5 0.1 0.1\n", "1.txt:2: has the class 2, there are 2"),
    "part of a class": ("0.5 0.5 0.5 0.1 0.1\n", "has the class 0.5"),
    "negative": ("0 0.5 0.5 -0.1 0.1\n", "has a negative size"),
    "too few": ("0 0.5 0.5 0.1\n", "has 3 numbers after the class"),
}


@pytest.mark.parametrize("fault", YOLO_FAULTS)
def test_broken_yolo_lines(tmp_path, fault):
    line, words = YOLO_FAULTS[fault]
    root = write_yolo(tmp_path)
    (root / "labels" / "train" / "1.txt").write_text(line)
    refused("yolo", root, words)


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        ("train: [", "not plain YAML"),
        ("- 1", "must be a mapping"),
        ("train: images/train\nval: images/val\n", "has no names"),
        ("train: images/train\nval: images/val\nnames: {1: a, 2: b}\n", "names are numbered 1, 2"),
        ("train: images/train\nval: images/val\nnc: 3\nnames: [a, b]\n", "nc is 3, there are 2 names"),
        ("train: images/nowhere\nval: images/val\nnames: [a, b]\n", "train is not there: 'images/nowhere'"),
        ("train: /\nval: images/val\nnames: [a, b]\n", "train leaves the folder: '/'"),
        ("names: [a, b]\n", "no annotated picture is found"),
    ],
)
def test_broken_data_yaml(tmp_path, yaml, words):
    refused("yolo", write_yolo(tmp_path, yaml=yaml), words)


def test_yolo_labels_and_pictures_without_each_other(tmp_path, cvbench):
    root = write_yolo(tmp_path)
    (root / "labels" / "train" / "0.txt").unlink()
    assert "has no label file: background" in notes("yolo", root)
    (root / "labels" / "train" / "9.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    refused("yolo", root, "9.txt: has no picture")
    one_line_refusal(
        cvbench("generate", "copy", "--data", root, "--count", 2, "--out", tmp_path / "o"), "has no picture"
    )


def test_a_json_with_numbers_in_the_place_of_texts_is_no_traceback(tmp_path):
    for changes in ({"images": [1]}, {"categories": [None]}, {"annotations": ["x"]}, {"categories": []}):
        root = write_coco(tmp_path)
        content = json.loads((root / "annotations.json").read_text()) | changes
        (root / "annotations.json").write_text(json.dumps(content))
        assert problems("coco", root, test_fraction=0.5)
