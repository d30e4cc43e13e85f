"""Readers of scenes: every format opens what was put there, brought to one size with its annotation."""

import dataclasses
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvbench.cli.data import looked_at
from cvbench.errors import DataError, UserError
from cvbench.plugins import listings, make_plugin
from cvbench.readers import open_dataset, recognise
from cvbench.readers.digit_scenes import DigitScenes
from cvbench.readers.image_folder import ImageFolder
from cvbench.readers.letterbox import PADDING, Letterbox
from cvbench.readers.rle import mask_of
from cvbench.readers.scenes import SceneReader
from cvbench.samples import AnnotationKind
from cvbench.scenes import IGNORED

RED, GREEN = [200, 0, 0], [0, 200, 0]


def picture(file, size=(6, 8), seed=0, mode="RGB", **saved):
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).convert(mode).save(file, **saved)
    return file


def mask(file, values, mode=None):
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(values))
    (image.convert(mode) if mode else image).save(file)
    return file


def striped(size=(6, 8), classes=3):
    return (np.arange(size[0] * size[1]).reshape(size) % classes).astype(np.uint8)


def write_pairs(root, count=3, layout="train/{}annot", classes="sky\nroad\nvoid\n"):
    for split, first in (("train", 0), ("test", 50)):
        for number in range(count):
            picture(root / split / f"{number}.png", seed=first + number)
            mask(root / f"{split}annot" / f"{number}.png", striped())
    (root / "classes.txt").write_text(classes)
    return root


# ------------------------------------------------------------------------------------- digit-scenes


def test_digit_scenes_are_the_same_every_time_and_as_large_as_asked():
    options = {"train": 30, "test": 20}
    one, again = (open_dataset("digit-scenes", "", None, options, 0.0) for _ in range(2))
    assert one.train.fingerprint == again.train.fingerprint
    assert one.train.spec.kind is AnnotationKind.INSTANCES
    assert one.train.images.shape == (30, 64, 64, 3)
    numbers = np.diff(one.train.starts)
    assert numbers.min() >= 1
    assert numbers.max() <= 5
    other = open_dataset("digit-scenes", "", None, options | {"seed": 1, "size": [48, 80]}, 0.0)
    assert other.train.images.shape[1:3] == (48, 80)


def test_digits_that_are_covered_lose_those_pixels():
    train = open_dataset("digit-scenes", "", None, {"train": 60, "test": 1}, 0.0).train
    assert all(train.masks(place).sum(axis=0).max() <= 1 for place in range(len(train)))


def test_digit_scenes_hold_glyphs_of_their_own_split_alone(monkeypatch):
    from cvbench.contracts import Splits
    from cvbench.readers.digits import Digits

    opened = Digits.open

    def ones_and_eights(self, root):
        splits = opened(self, root)
        train, test = splits.train, splits.test
        return Splits(train.select(np.flatnonzero(train.labels == 1)), test.select(np.flatnonzero(test.labels == 8)))

    monkeypatch.setattr(Digits, "open", ones_and_eights)
    splits = make_plugin("readers", "digit-scenes", {"train": 10, "test": 10}).open(None)
    assert set(splits.train.labels) == {1}
    assert set(splits.test.labels) == {8}


# --------------------------------------------------------------------------------------- mask pairs


def test_mask_pairs_with_an_ignored_class_are_numbered_anew(tmp_path):
    root = write_pairs(tmp_path / "pairs")
    assert recognise(root) == "mask-pairs"
    plain = open_dataset("", "", root, {}, 0.0)
    assert plain.train.spec.classes == ("sky", "road", "void")
    assert np.array_equal(plain.train.masks[0], striped())
    ignored = open_dataset("mask-pairs", "", root, {"ignore": ["road"]}, 0.0)
    assert ignored.train.spec.classes == ("sky", "void")
    assert np.array_equal(ignored.train.masks[0], np.array([0, IGNORED, 1], np.uint8)[striped()])
    with pytest.raises(DataError, match="did you mean 'road'"):
        open_dataset("mask-pairs", "", root, {"ignore": ["rood"]}, 0.0)


@pytest.mark.parametrize(
    ("pictures", "masks", "splits"),
    [
        ("images/{}.png", "masks/{}.png", 0),
        ("images/{}.jpg", "masks/{}_mask.png", 0),
        ("train/images/{}.png", "train/masks/{}.png", 1),
        ("images/train/{}.png", "annotations/train/{}.png", 1),
    ],
)
def test_other_layouts_of_mask_pairs(tmp_path, pictures, masks, splits):
    for split in ("train", "test") if splits else ("train",):
        for number in range(6):
            picture(tmp_path / pictures.format(number).replace("train", split), seed=number + 9 * (split == "test"))
            mask(tmp_path / masks.format(number).replace("train", split), striped(classes=2))
    (tmp_path / "classes.json").write_text('["a", "b"]')
    opened = open_dataset("", "", tmp_path, {}, 0.0)
    assert (len(opened.train), len(opened.test)) == ((6, 6) if splits else (5, 1))


def test_masks_of_one_bit_sixteen_bits_palettes_and_colours(tmp_path):
    values = striped(classes=2)
    for number in range(4):
        picture(tmp_path / "images" / f"{number}.png", seed=number)
    mask(tmp_path / "masks" / "0.png", values.astype(bool))
    mask(tmp_path / "masks" / "1.png", values.astype(np.uint16))
    mask(tmp_path / "masks" / "2.png", values)
    paletted = Image.fromarray(values).convert("P")
    paletted.putdata(values.ravel())
    paletted.putpalette([9, 9, 9, 8, 8, 8])
    paletted.save(tmp_path / "masks" / "3.png")
    (tmp_path / "classes.txt").write_text("a\nb\n")
    opened = open_dataset("", "", tmp_path, {}, 0.0)
    assert all(np.array_equal(one, values) for part in (opened.train, opened.test) for one in part.masks)

    for number in range(4):
        mask(tmp_path / "masks" / f"{number}.png", np.array([RED, GREEN], np.uint8)[values])
    (tmp_path / "classes.json").write_text(json.dumps({"b": GREEN, "a": RED}))
    opened = open_dataset("", "", tmp_path, {}, 0.0)
    assert opened.train.spec.classes == ("b", "a")
    assert np.array_equal(opened.train.masks[0], 1 - values)


def test_pictures_are_letterboxed_with_their_masks(tmp_path):
    for number, size in enumerate([(6, 8), (8, 6), (20, 10), (6, 8), (6, 8)]):
        picture(tmp_path / "images" / f"{number}.png", size, seed=number)
        mask(tmp_path / "masks" / f"{number}.png", np.ones(size, np.uint8))
    (tmp_path / "classes.txt").write_text("a\nb\n")
    with pytest.raises(DataError, match=r"3 sizes.*set the option size: \[height, width\]"):
        open_dataset("", "", tmp_path, {}, 0.0)
    opened = open_dataset("", "", tmp_path, {"size": [10, 10]}, 0.0)
    every = np.concatenate([opened.train.masks, opened.test.masks])
    assert sorted((one == 1).sum() for one in every) == [50, 80, 80, 80, 80]
    assert set(np.unique(every)) == {1, IGNORED}
    images = np.concatenate([opened.train.images, opened.test.images])
    assert (images[every == IGNORED] == PADDING).all()


def test_a_letterbox_moves_boxes_as_it_moves_pixels():
    fit = Letterbox(20, 40, (64, 64))
    assert (fit.inner, fit.corner) == ((32, 64), (16, 0))
    marked = np.zeros((20, 40), bool)
    marked[5:10, 10:30] = True
    rows, columns = np.nonzero(fit.boolean(marked))
    box = fit.boxes(np.array([[10.0, 5, 30, 10]]))[0]
    assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


# ------------------------------------------------------------------------------------- object masks


def write_nuclei(root, sizes=((8, 8),) * 4):
    for number, size in enumerate(sizes):
        picture(root / f"id{number}" / "images" / f"id{number}.png", size, seed=number, mode="RGBA")
        for place in range(2):
            values = np.zeros(size, np.uint8)
            values[place * 3 : place * 3 + 2, 1:4] = 255
            mask(root / f"id{number}" / "masks" / f"{place}.png", values)
    return root


def test_a_mask_file_per_object_in_a_folder_or_a_tar(tmp_path):
    root = write_nuclei(tmp_path / "plain" / "stage1_train").parent
    (root / "train_ids.txt").write_text("id0\nid1\nid3\n")
    (root / "test_ids.txt").write_text("id2\n")
    assert recognise(root) == "object-masks"
    opened = open_dataset("", "", root, {"name": "cell"}, 0.0)
    assert (len(opened.train), len(opened.test)) == (3, 1)
    assert opened.train.spec.classes == ("cell",)
    assert opened.train.boxes[:2].tolist() == [[1, 0, 4, 2], [1, 3, 4, 5]]

    packed = tmp_path / "packed"
    packed.mkdir()
    with tarfile.open(packed / "stage1.tar.gz", "w:gz") as tar:
        tar.add(root / "stage1_train", "stage1_train")
    for name in ("train_ids.txt", "test_ids.txt"):
        (packed / name).write_text((root / name).read_text())
    assert recognise(packed) == "object-masks"
    again = open_dataset("", "", packed, {"name": "cell"}, 0.0)
    assert np.array_equal(again.train.images, opened.train.images)
    assert np.array_equal(again.train.bits, opened.train.bits)


# ------------------------------------------------------------------------------- coco, voc and yolo


def write_coco(root, outline=None, **changes):
    picture(root / "images" / "a.png", (6, 8))
    picture(root / "images" / "b.png", (6, 8), seed=1)
    outline = outline or [[1, 1, 4, 1, 4, 5, 1, 5]]
    content = {
        "images": [{"id": 7, "file_name": "a.png", "height": 6, "width": 8}, {"id": 3, "file_name": "b.png"}],
        "categories": [{"id": 5, "name": "dog"}, {"id": 2, "name": "cat"}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 5, "bbox": [1, 1, 3, 4], "segmentation": outline}],
    } | changes
    (root / "annotations.json").write_text(json.dumps(content))
    return root


def test_coco_ids_may_be_written_as_floats(tmp_path):
    thing = {"id": 1, "image_id": 7.0, "category_id": 5.0, "bbox": [1, 1, 3, 4], "segmentation": [[1, 1, 4, 1, 4, 5]]}
    splits = open_dataset("coco", "", write_coco(tmp_path, annotations=[thing]), {"test_fraction": 0.5}, 0.0)
    assert len(splits.train.labels) + len(splits.test.labels) == 1


@pytest.mark.parametrize("form", ["polygon", "counts", "compressed"])
def test_coco_masks_in_every_form(tmp_path, form):
    from faster_coco_eval.core import mask as coco_mask

    filled = np.zeros((6, 8), np.uint8)
    filled[1:5, 1:4] = 1
    compressed = coco_mask.encode(np.asfortranarray(filled))["counts"]
    outline = {
        "polygon": [[1, 1, 4, 1, 4, 5, 1, 5]],
        "counts": {"size": [6, 8], "counts": [7, 4, 2, 4, 2, 4, 25]},
        "compressed": {"size": [6, 8], "counts": compressed if isinstance(compressed, str) else compressed.decode()},
    }[form]
    root = write_coco(tmp_path, outline)
    assert recognise(root) == "coco"
    splits = open_dataset("", "", root, {"test_fraction": 0.5}, 0.0)
    assert splits.train.spec.classes == ("cat", "dog")  # in the order of their ids
    part = splits.train if len(splits.train.labels) else splits.test
    assert part.labels.tolist() == [1]
    assert np.array_equal(part.masks(0)[0], filled)
    boxes = open_dataset("coco", "", root, {"test_fraction": 0.5, "boxes": True}, 0.0)
    assert boxes.train.spec.kind is AnnotationKind.BOXES


def test_run_lengths_against_cocos_own():
    from faster_coco_eval.core import mask as coco_mask

    rng = np.random.default_rng(0)
    for _ in range(50):
        height, width = rng.integers(1, 40, 2)
        one = rng.random((height, width)) < rng.random()
        counts = coco_mask.encode(np.asfortranarray(one, np.uint8))["counts"]
        text = counts if isinstance(counts, str) else counts.decode()
        assert np.array_equal(mask_of(text, height, width, ""), one)


def test_coco_splits_by_file_and_val_in_the_place_of_a_test_split(tmp_path):
    content = json.loads((write_coco(tmp_path / "x") / "annotations.json").read_text())
    root = tmp_path / "set"
    (root / "annotations").mkdir(parents=True)
    for split, seed in (("train2017", 0), ("val2017", 8)):
        (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(content))
        for name in "ab":
            picture(root / split / f"{name}.png", (6, 8), seed=seed + ord(name))
        for other in ("captions", "person_keypoints"):  # as in COCO's own archive, and before it by name
            (root / "annotations" / f"{other}_{split}.json").write_text('{"images": [], "annotations": []}')
    assert recognise(root) == "coco"
    splits = open_dataset("", "", root, {}, 0.0)
    assert (len(splits.train), len(splits.test), splits.val) == (2, 2, None)
    findings = looked_at(make_plugin("readers", "coco", {}), root, "set")[0]
    assert any(finding.what == "there is no test split: val is tested on" for finding in findings)


def test_masks_missing_in_one_split_make_boxes_of_the_other_too(tmp_path, own_cache):
    content = json.loads((write_coco(tmp_path) / "annotations.json").read_text())
    (tmp_path / "annotations.json").rename(tmp_path / "test.json")
    for outline, kind in (([[1, 1, 4, 1, 4, 5]], AnnotationKind.INSTANCES), (None, AnnotationKind.BOXES)):
        content["annotations"][0]["segmentation"] = outline
        (tmp_path / "train.json").write_text(json.dumps(content))
        splits = open_dataset("coco", "", tmp_path, {}, 0.0)
        assert [splits.train.spec.kind, splits.test.spec.kind] == [kind, kind]


VOC = """<annotation><size><width>8</width><height>6</height></size><object><name>dog</name><difficult>1</difficult>
<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>4</xmax><ymax>6</ymax></bndbox></object></annotation>"""


def write_voc(root, xml=VOC):
    for number, name in enumerate("abcd"):
        picture(root / "JPEGImages" / f"{name}.png", (6, 8), seed=number)
        (root / "Annotations").mkdir(exist_ok=True)
        (root / "Annotations" / f"{name}.xml").write_text(xml)
    sets = root / "ImageSets" / "Main"
    sets.mkdir(parents=True)
    for split, names in (("train", "ab"), ("val", "c"), ("test", "d")):
        (sets / f"{split}.txt").write_text("".join(f"{name}  1\n" for name in names))
    return root


def test_voc_boxes_count_from_one_and_hold_their_last_pixel(tmp_path):
    root = write_voc(tmp_path)
    assert recognise(root) == "voc"
    splits = open_dataset("", "", root, {}, 0.0)
    assert (len(splits.train), len(splits.val), len(splits.test)) == (2, 1, 1)
    assert splits.train.boxes[0].tolist() == [0, 1, 4, 6]
    assert splits.train.crowd.all()
    from_zero = open_dataset("voc", "", root, {"first_pixel": 0}, 0.0)
    assert from_zero.train.boxes[0].tolist() == [1, 2, 4, 6]


def write_yolo(
    root, line="1 0.5 0.5 0.25 0.5\n", yaml="train: images/train\nval: images/val\nnames: {0: cat, 1: dog}\n"
):
    for split in ("train", "val"):
        for number in range(2):
            picture(root / "images" / split / f"{number}.png", (6, 8), seed=number + 5 * (split == "val"))
            labels = root / "labels" / split / f"{number}.txt"
            labels.parent.mkdir(parents=True, exist_ok=True)
            labels.write_text(line)
    (root / "data.yaml").write_text(yaml)
    return root


def test_yolo_boxes_and_outlines(tmp_path):
    root = write_yolo(tmp_path)
    assert recognise(root) == "yolo"
    splits = open_dataset("", "", root, {}, 0.0)
    assert (splits.train.spec.kind, splits.train.spec.classes) == (AnnotationKind.BOXES, ("cat", "dog"))
    assert splits.train.boxes[0].tolist() == [3, 1.5, 5, 4.5]
    write_yolo(tmp_path, line="0 0.25 0 0.75 0 0.75 0.5 0.25 0.5\n")
    splits = open_dataset("yolo", "", root, {}, 0.0)
    assert splits.train.spec.kind is AnnotationKind.INSTANCES
    assert splits.train.boxes[0].tolist() == [2, 0, 6, 3]
    write_yolo(tmp_path, yaml="path: .\ntrain: ../images/train\nval: images/val\nnc: 2\nnames: [cat, dog]\n")
    assert len(open_dataset("yolo", "", root, {}, 0.0).train) == 2


def test_a_val_that_is_train_is_no_split(tmp_path):
    root = write_yolo(tmp_path, yaml="train: images/train\nval: ./images/../images/train\nnames: [cat, dog]\n")
    splits = open_dataset("yolo", "", root, {"test_fraction": 0.5}, 0.0)
    assert (len(splits.train), len(splits.test), splits.val) == (1, 1, None)
    said = [finding.what for finding in looked_at(make_plugin("readers", "yolo", {}), root, "set")[0]]
    assert "val names the same pictures as train: it is no split" in said
    assert not any("also in" in what for what in said)


# ----------------------------------------------------------------------------------------- documents


def test_every_reader_and_every_option_is_in_the_documents():
    text = (Path(__file__).parent.parent.parent / "docs" / "data.md").read_text()
    for listing in listings("readers"):
        if listing.plugin is not None and issubclass(listing.plugin, SceneReader | ImageFolder | DigitScenes):
            for name in (listing.name, *(field.name for field in dataclasses.fields(listing.plugin.Options))):
                assert f"`{name}`" in text or name == "dataset", f"{listing.name}: {name}"


# --------------------------------------------------------------------------------------- real data


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "options", "sizes", "objects"),
    [
        ("camvid", {"size": [90, 120]}, (92, 59, 26), None),
        ("bccd", {"size": [120, 160]}, (205, 72, 87), {"RBC": 4153, "WBC": 372, "Platelets": 361}),
        ("nuclei", {"size": [128, 128]}, (30, 10, None), {"nucleus": 1245}),
    ],
)
def test_the_named_sets_open_as_their_authors_count_them(name, options, sizes, objects):
    if not os.environ.get("CVBENCH_DATA"):
        pytest.skip("CVBENCH_DATA is not set")
    splits = open_dataset(name, "", None, options, 0.0)
    parts = [splits.train, splits.test, splits.val]
    assert tuple(len(part) if part is not None else None for part in parts) == sizes
    if objects is not None:
        counts = sum(part.class_counts() for part in parts if part is not None)
        found = dict(zip(splits.train.spec.classes, counts.tolist(), strict=True))
        assert all(number - found[key] <= number // 100 and found[key] <= number for key, number in objects.items())
    else:
        assert splits.train.spec.classes[0] == "Sky"
        assert len(splits.train.spec.classes) == 11


def test_an_option_of_another_form_is_one_line(tmp_path):
    with pytest.raises(UserError, match="option 'size"):
        open_dataset("mask-pairs", "", write_pairs(tmp_path / "pairs"), {"size": [3]}, 0.0)
