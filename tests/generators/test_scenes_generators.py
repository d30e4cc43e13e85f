"""Scenes put together from pieces: exact annotation after occlusion, blending that shifts nothing, what is refused."""

import json
import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from cvbench_generators.scenes import CutPaste, CutPasteOptions, cut_paste, drawn_objects
from cvbench_generators.scenes.annotating import Visibility, annotated
from cvbench_generators.scenes.composing import Scene
from cvbench_generators.scenes.distractors import draw_distractor
from cvbench_generators.scenes.layout import learnt_layouts
from cvbench_generators.scenes.objects import ellipse_in, objects_of, whole_objects
from cvbench_generators.scenes.pasting import SURROUNDINGS, Patch, _occupied, cutout_of, paste
from cvbench_generators.scenes.pieces import content_box, pieces_of, union
from cvbench_generators.scenes.placing import Ground
from cvbench_generators.scenes.stock import Stock

from cvbench.conformance import tiny_pictures, tiny_scenes
from cvbench.contracts import Workplace, silent
from cvbench.datasets import as_kind, gather
from cvbench.errors import DataError, NotApplicable, UserError
from cvbench.plugins import make_options, make_plugin
from cvbench.samples import AnnotationKind, DatasetSpec
from cvbench.scenes import IGNORED, BoxedImages, Instance, InstanceImages, SegmentedImages, tight_box

MASK, BOXES, INSTANCES = AnnotationKind.MASK, AnnotationKind.BOXES, AnnotationKind.INSTANCES
SPEC = DatasetSpec("toy", INSTANCES, ("disc", "square"), 48, 64, 1)
every_kind = pytest.mark.parametrize("kind", [MASK, BOXES, INSTANCES])


def discs(count: int = 6, value: int = 200, across: int = 0) -> InstanceImages:
    """Dark pictures with two bright discs each, one of either class; ``across``: shifted over the left border."""
    images, listed = np.full((count, 48, 64, 1), 20, np.uint8), []
    images[:, ::7, ::5] = 24  # so that no row is of one colour
    for place in range(count):
        listed.append([])
        for label, (x, y) in enumerate([(14 - across, 12 + place), (44 - across, 30 - place)]):
            disc = np.zeros((48, 64), np.uint8)
            cv2.circle(disc, (x, y), 7 + label, 1, -1)
            images[place][disc > 0] = value
            listed[-1].append(Instance(label, disc.astype(bool)))
    return InstanceImages.of_instances(SPEC, images, listed)


def fitted(train, folder, seed=0, **options):
    generator = CutPaste(make_options(CutPasteOptions, options))
    return generator.fit(train, budget=None, seed=seed, progress=silent, workplace=Workplace(folder))


def drawn(sampler, count, seed=1):
    return gather(sampler.sample(count, seed=seed), sampler.stock.backgrounds.spec)


@pytest.fixture
def dark(tmp_path):
    """A folder with one black texture."""
    folder = tmp_path / "dark"
    folder.mkdir()
    cv2.imwrite(str(folder / "black.png"), np.zeros((80, 100, 3), np.uint8))
    return folder


# -------------------------------------------------------------------------------- exact annotation


def test_how_many_scenes_the_pictures_show_is_said(tmp_path):
    told = "each scene is blended 3 ways (none, gaussian, poisson): 3 pictures show one scene"
    assert fitted(discs(), tmp_path).notes == (told,)
    assert fitted(discs(), tmp_path, same_scene=False).notes == ()
    assert fitted(discs(), tmp_path, blend=["box"]).notes == ()


def test_the_masks_are_exactly_what_is_bright(tmp_path, dark):
    """Bright objects on black: turned, sized, cut by the border, over each other; every bright pixel has its mask."""
    sampler = fitted(
        discs(across=12),
        tmp_path,
        backgrounds=str(dark),
        blend=["none"],
        colour=0.0,
        distractors=0,
        overlap=0.9,
        rotation=90.0,
        least_visible=0.0,
        least_pixels=1,
    )
    made = drawn(sampler, 40)
    for place in range(len(made)):
        masks = made.masks(place)
        bright = made.images[place, ..., 0]
        assert np.array_equal(masks.any(axis=0), bright > 100)
        assert masks.sum(axis=0).max(initial=0) <= 1
    x1, y1, x2, y2 = made.boxes.T
    cut = (x1 == 0) | (y1 == 0) | (x2 == 64) | (y2 == 48)
    assert 0.2 < cut.mean() < 0.9
    masks = drawn(fitted(as_kind(discs(), MASK), tmp_path, backgrounds=str(dark), blend=["none"], distractors=0), 10)
    assert np.array_equal(masks.masks > 0, masks.images[..., 0] > 100)


def test_a_distractor_hides_what_it_covers_whatever_the_blending():
    """Where the annotation has a hole, Poisson blending must not leave the object's own colours."""
    backgrounds = discs().select([0])
    disc = backgrounds.masks(0)[0]
    ys, xs = np.nonzero(disc)
    patch = square(None, int(xs.mean()) - 3, int(ys.mean()) - 3, 7, value=20)
    made = cut_paste._picture(Scene(0, False, (patch,)), "poisson", backgrounds)
    plainly = cut_paste._picture(Scene(0, False, (patch,)), "none", backgrounds)
    np.testing.assert_array_equal(made, plainly)
    assert (made[patch.y : patch.y + 7, patch.x : patch.x + 7] == 20).all()


def square(label, x, y, side, value=250):
    mask = np.ones((side, side), np.bool_)
    return Patch(label, x, y, np.full((side, side, 1), value, np.uint8), mask, side * side)


def scene_of(kind, patches, flipped=False, least=Visibility(0.25, 4)):  # noqa: B008
    """A scene on the first of the discs' pictures, annotated."""
    backgrounds = as_kind(discs(), kind)
    images = np.zeros((1, 48, 64, 1), np.uint8)
    return annotated(images, [Scene(0, flipped, tuple(patches))], backgrounds, least)


def test_what_is_covered_loses_its_pixels_and_what_is_mostly_hidden_its_annotation():
    before = discs().select([0])
    nothing = scene_of(INSTANCES, [])
    assert np.array_equal(nothing.masks(0), before.masks(0))
    found = scene_of(INSTANCES, [square(0, 30, 2, 10), square(1, 33, 2, 10), square(None, 40, 2, 10)])
    assert found.labels.tolist() == [0, 1, 0, 1]
    assert found.boxes[2:].tolist() == [[30, 2, 33, 12], [33, 2, 40, 12]]
    hidden = scene_of(INSTANCES, [square(0, 30, 2, 10), square(1, 32, 2, 10)])
    assert hidden.labels.tolist() == [0, 1, 1]  # a fifth of the first square is seen
    outside = scene_of(INSTANCES, [square(0, -8, 20, 10), square(1, -6, 36, 10)])
    assert outside.boxes[2:].tolist() == [[0, 36, 4, 46]]
    half = scene_of(INSTANCES, [square(1, 0, 0, 12)])
    covered = before.masks(0)[0].copy()
    covered[:12, :12] = False
    assert np.array_equal(half.masks(0)[0], covered)
    assert half.boxes[0].tolist() == list(tight_box(covered))
    assert scene_of(INSTANCES, [square(None, 6, 4, 16)]).labels.tolist() == [1]  # a distractor hides the first disc


def test_a_mirrored_background_takes_its_annotation_along():
    before, flipped = discs().select([0]), scene_of(INSTANCES, [square(None, 0, 0, 2)], flipped=True)
    assert np.array_equal(flipped.masks(0), before.masks(0)[:, :, ::-1])
    assert np.array_equal(scene_of(MASK, [], flipped=True).masks[0], as_kind(before, MASK).masks[0][:, ::-1])
    boxes = scene_of(BOXES, [], flipped=True).boxes
    assert boxes.tolist() == [[64 - x2, y1, 64 - x1, y2] for x1, y1, x2, y2 in before.boxes.tolist()]


def test_a_kept_box_shrinks_to_what_is_not_covered():
    x1, y1, x2, y2 = discs().boxes[0].tolist()
    side = int(x2 - x1)
    shrunk = scene_of(BOXES, [square(1, int(x1) - side + 4, int(y1), side)])
    assert shrunk.boxes.tolist()[0] == [x1 + 4, y1, x2, y2]
    corner = scene_of(BOXES, [square(1, int(x1) - side + 4, int(y1) - side + 4, side)])
    assert corner.boxes.tolist()[0] == [x1, y1, x2, y2]
    assert scene_of(BOXES, [square(1, int(x1), int(y1), side)]).labels.tolist() == [1, 1]


def test_a_distractor_is_background_or_ignored():
    assert (scene_of(MASK, [square(None, 30, 2, 4)]).masks[0, 2:6, 30:34] == 0).all()
    nameless = as_kind(discs(), MASK)
    nameless = nameless.under(replace(nameless.spec, classes=("floor", "disc", "square")))
    scene = Scene(0, False, (square(None, 30, 2, 4), square(2, 32, 2, 4)))
    made = annotated(np.zeros((1, 48, 64, 1), np.uint8), [scene], nameless, Visibility(0, 1))
    assert (made.masks[0, 2:6, 30:32] == IGNORED).all()
    assert (made.masks[0, 2:6, 32:36] == 2).all()


# ------------------------------------------------------------------------------------------ blending


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("blend", ["none", "gaussian", "box", "poisson"])
@pytest.mark.parametrize("corner", [(20, 10), (-5, -4), (55, 40), (0, 30)])
def test_a_piece_put_back_into_its_own_place_changes_nothing(blend, corner, channels):
    """Neither OpenCV's Poisson blending nor any filter may shift what is pasted, the picture's border included."""
    rng = np.random.default_rng(0)
    wide = cv2.GaussianBlur(rng.integers(0, 256, (88, 104, channels)).astype(np.uint8), (0, 0), 2)
    wide = wide.reshape(88, 104, channels)
    image, (x, y) = wide[20:68, 20:84].copy(), corner
    mask = np.zeros((17, 23), np.uint8)
    cv2.ellipse(mask, (11, 8), (7, 4), 0, 0, 360, 1, -1)
    pixels = wide[20 + y : 37 + y, 20 + x : 43 + x].copy()
    before = image.copy()
    paste(image, Patch(0, x, y, pixels, mask.astype(bool), 1), blend)
    assert np.abs(image.astype(int) - before).max() <= (3 if blend == "poisson" else 0)


@pytest.mark.parametrize("blend", ["gaussian", "box", "poisson"])
def test_blending_softens_the_seam_and_keeps_the_object(blend):
    image, hard = np.full((2, 40, 40, 1), 30, np.uint8)
    pixels = np.full((20, 20, 1), 30, np.uint8)
    mask = np.zeros((20, 20), np.bool_)
    mask[5:15, 5:15] = True
    pixels[mask] = 220
    patch = Patch(0, 10, 10, pixels, mask, 100)
    paste(image, patch, blend)
    paste(hard, patch, "none")
    assert image[20, 20, 0] > 150
    assert np.abs(np.diff(image[20, :, 0].astype(int))).max() <= np.abs(np.diff(hard[20, :, 0].astype(int))).max()


@every_kind
def test_each_scene_comes_in_every_blending_with_one_annotation(kind, tmp_path):
    made = drawn(fitted(as_kind(discs(), kind), tmp_path, blend=["none", "gaussian", "box"], least_pixels=1), 6)
    for first in (0, 3):
        same = [made.select([first + version]) for version in range(3)]
        for name, array in same[0].annotation().items():
            assert all(np.array_equal(array, other.annotation()[name]) for other in same[1:])
        assert len({one.item_hashes()[0] for one in same}) == 3
    fresh = drawn(fitted(as_kind(discs(), kind), tmp_path, same_scene=False), 6)
    assert len(set(fresh.item_hashes())) == 6


# ------------------------------------------------------------------------------ layout and objects


def test_empty_backgrounds_are_as_full_as_real_pictures(tmp_path):
    data = tiny_scenes(40, 48, 3)
    made = drawn(fitted(data, tmp_path, backgrounds="inpainted", alike=1.0, overlap=1.0, flips="both"), 120)
    assert len(made.labels) / len(made) == pytest.approx(len(data.labels) / len(data), abs=0.35)
    more = drawn(fitted(data, tmp_path, alike=1.0), 120)
    assert len(more.labels) > 1.3 * len(made.labels)  # pasted on top of those that are there


def test_objects_cut_by_the_border_are_not_pasted_unless_there_are_no_others():
    data = discs(across=12)  # the first class is cut by the left border, the second is not
    assert data.labels[whole_objects(data, 1)].tolist() == [0, 1] * 6
    both = data.join(discs())
    whole = whole_objects(both, 1)
    assert set(whole) == {1, 3, 5, 7, 9, 11, *range(12, 24)}
    assert len(whole_objects(both, 190)) == 12  # only the larger discs have so many pixels


def test_padding_stays_empty(tmp_path):
    """Pictures brought to one size have plain bars: nothing is put there."""
    data = discs()
    padded = np.full((6, 80, 64, 1), 114, np.uint8)
    padded[:, 16:64] = data.images
    assert content_box(padded[0]) == (0, 16, 64, 64)
    listed = [[Instance(0, np.pad(mask, ((16, 16), (0, 0)))) for mask in data.masks(place)] for place in range(6)]
    train = InstanceImages.of_instances(replace(SPEC, height=80), padded, listed)
    made = drawn(fitted(train, tmp_path), 40)
    assert (made.images[:, :16] == 114).all()
    assert (made.images[:, 64:] == 114).all()


def test_objects_lent_by_pictures_that_look_alike(tmp_path):
    """Dark pictures have dark discs, light ones light discs: a quarter of the pictures keeps them apart."""
    dim, lit = discs(6, 120), discs(6, 250)
    lit = replace(lit, images=lit.images + np.where(lit.images < 100, 60, 0).astype(np.uint8))
    made = drawn(fitted(dim.join(lit), tmp_path, blend=["none"], colour=0.0, distractors=0), 40)
    for image in made.images[..., 0]:
        assert (image.max() < 130) == (np.median(image) < 50)


def test_grabcut_finds_the_disc_in_its_box():
    data = discs()
    rng = np.random.default_rng(0)
    noisy = replace(data, images=np.clip(data.images + rng.integers(0, 20, data.images.shape), 0, 255).astype(np.uint8))
    found, notes = objects_of(as_kind(noisy, BOXES), None, 1, 0, silent)
    assert notes == ("12 boxes: GrabCut found the object in all",)
    for place in range(len(data)):
        both = found.masks(place) & data.masks(place)
        assert both.sum() / (found.masks(place) | data.masks(place)).sum() > 0.9
    flat = replace(as_kind(data, BOXES), images=np.full_like(data.images, 7))
    ellipses, notes = objects_of(flat, None, 1, 0, silent)
    assert notes == ("12 boxes: GrabCut found no object in any; cut as ellipses",)
    assert np.array_equal(ellipses.boxes, data.boxes)


def test_things_are_the_compact_classes_or_the_ones_named(tmp_path):
    masks = np.zeros((2, 48, 64), np.uint8)
    masks[:, 24:], masks[:, 5:12, 5:12], masks[:, 10:20, 30:40] = 1, 2, 3
    masks[:, 0:3, 0:20] = IGNORED
    spec = replace(SPEC, kind=MASK, classes=("sky", "road", "sign", "car"))
    train = SegmentedImages(spec, discs(2).images, masks)
    found, notes = objects_of(train, None, 1, 0, silent)
    assert notes == ("things: sign, car",)
    assert found.boxes.tolist() == [[5, 5, 12, 12], [30, 10, 40, 20]] * 2
    assert set(objects_of(train, ["car"], 1, 0, silent)[0].labels.tolist()) == {3}
    with pytest.raises(DataError, match=r"things: unknown class 'cart'. did you mean 'car'"):
        fitted(train, tmp_path, things=["cart"])
    with pytest.raises(NotApplicable, match="no class has compact regions"):
        fitted(replace(train, masks=np.where(masks < 2, masks, 0).astype(np.uint8)), tmp_path)
    with pytest.raises(NotApplicable, match="the option things is for semantic masks"):
        fitted(discs(), tmp_path, things=["disc"])


# ------------------------------------------------------------------------------------- backgrounds


def test_inpainting_leaves_no_object_behind(tmp_path):
    for kind in (MASK, BOXES, INSTANCES):
        backgrounds = fitted(as_kind(discs(), kind), tmp_path, backgrounds="inpainted").stock.backgrounds
        assert backgrounds.images.max() < 60
        if isinstance(backgrounds, SegmentedImages):
            assert not backgrounds.masks.any()
        else:
            assert isinstance(backgrounds, BoxedImages)
            assert not len(backgrounds.labels)


def test_textures_are_read_from_a_folder(tmp_path, dark):
    cv2.imwrite(str(dark / "light.jpg"), np.full((50, 300), 200, np.uint8))
    backgrounds = fitted(discs(), tmp_path, backgrounds=str(dark)).stock.backgrounds
    assert sorted({int(image.mean().round()) for image in backgrounds.images}) == [0, 200]
    assert CutPaste(make_options(CutPasteOptions, {"backgrounds": str(dark)})).reads() == (dark,)
    assert CutPaste().reads() == ()
    (dark / "broken.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match=r"broken\.png: not a picture that can be read"):
        fitted(discs(), tmp_path, backgrounds=str(dark))
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="no pictures to use as backgrounds"):
        fitted(discs(), tmp_path, backgrounds=str(tmp_path / "none"))
    floor = as_kind(discs(), MASK)
    with pytest.raises(NotApplicable, match="needs the class 'background'"):
        fitted(floor.under(replace(floor.spec, classes=("floor", "a", "b"))), tmp_path, backgrounds=str(dark))


# ----------------------------------------------------------------------- sampling, saving, refusing


@every_kind
def test_chunks_of_any_size_hold_the_same(kind, tmp_path, monkeypatch):
    sampler = fitted(as_kind(discs(), kind), tmp_path)
    whole = drawn(sampler, 11)
    monkeypatch.setattr(cut_paste, "CHUNK_BYTES", 2 * 48 * 64)
    assert [len(chunk) for chunk in sampler.sample(11, seed=1)] == [2, 2, 2, 2, 2, 1]
    assert drawn(sampler, 11).fingerprint == whole.fingerprint


@pytest.mark.parametrize("damage", ["cut", "version", "missing"])
def test_a_damaged_sampler_is_one_line(damage, tmp_path):
    fitted(discs(), tmp_path).save(tmp_path)
    about = tmp_path / "scenes.json"
    if damage == "cut":
        (tmp_path / "layouts.npz").write_bytes((tmp_path / "layouts.npz").read_bytes()[:90])
    elif damage == "version":
        about.write_text(json.dumps({**json.loads(about.read_text()), "format": 99}))
    else:
        (tmp_path / "objects" / "bits.npy").unlink()
    with pytest.raises(DataError) as caught:
        CutPaste().load(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_no_distractor_is_cut_from_a_crowd():
    """Its people are objects without a box each: a copy would teach that people are none."""
    image, everywhere = np.zeros((48, 64, 1), np.uint8), np.array([[0, 0, 64, 48]], np.float32)
    nothing, content = np.zeros((0, 4), np.float32), everywhere[0]
    for crowds, drawn_at_all in ((everywhere, False), (nothing, True)):
        ground = Ground(48, 64, content, nothing, crowds)
        tries = [draw_distractor(image, ground, np.random.default_rng(seed)) for seed in range(20)]
        assert any(tries) is drawn_at_all
    crowded = replace(discs(1), crowd=np.array([True, False]))
    stock = Stock(crowded, crowded, learnt_layouts(crowded, None), CutPasteOptions(), False)
    assert stock.crowds_on(0).tolist() == crowded.boxes[:1].tolist()
    assert stock.boxes_on(0).tolist() == crowded.boxes[1:].tolist()


def test_a_neighbour_does_not_come_along_with_what_is_cut():
    """Poisson blending would show it, and no annotation says that it is there."""
    image, own, near = np.full((1, 48, 64, 1), 20, np.uint8), *np.zeros((2, 48, 64), np.bool_)
    own[20:30, 20:30], near[18:34, 32:40] = True, True
    image[0][own], image[0][near] = 120, 250
    objects = InstanceImages.of_instances(SPEC, image, [[Instance(0, own), Instance(1, near)]])
    assert sorted(np.unique(cutout_of(objects, 0).layers[..., 0])) == [20, 120]
    assert sorted(np.unique(cutout_of(objects, 1).layers[..., 0])) == [20, 250]
    ground = InstanceImages.of_instances(SPEC, np.full((1, 48, 64, 1), 20, np.uint8), [[]])
    layers = cutout_of(objects, 0).layers
    pasted = np.asarray(ground.images[0]).copy()
    paste(pasted, Patch(0, 10, 10, layers[..., :1], layers[..., 1] > 0, 100), "poisson")
    assert pasted.max() <= 125


def test_what_is_occupied_around_a_cut_out_is_all_objects_there():
    """The far ones are not looked at: a picture of hundreds would take their square."""
    data = discs(2, across=10)
    for number in range(len(data.labels)):
        picture = int(number >= data.starts[1])
        x, y = data.boxes[number, :2].astype(int).tolist()
        everywhere = union(pieces_of(data, picture), 48, 64)
        top, left = max(0, y - SURROUNDINGS), max(0, x - SURROUNDINGS)
        part = everywhere[top : top + 30, left : left + 40]
        assert np.array_equal(_occupied(data, picture, top, left, *part.shape), part)


def test_ellipses_in_boxes_are_their_own_mirror_images():
    """By which ``motion`` knows that GrabCut has found nothing."""
    for height in range(1, 20):
        for width in range(1, 20):
            mask = ellipse_in(height, width)
            assert np.array_equal(mask, mask[::-1])
            assert np.array_equal(mask, mask[:, ::-1])
            assert mask.any()


def test_objects_on_an_inpainted_picture_are_laid_out_as_in_its_own_likes(tmp_path):
    """Painted over, it looks like a picture without objects: were it compared so, it would get none."""
    data = discs(12)
    bare = np.full((12, 48, 64, 1), 20, np.uint8)
    bare[:, ::7, ::5] = 24
    half = InstanceImages.of_instances(SPEC, bare, [[] for _ in range(12)])
    sampler = fitted(gather([data, half], SPEC), tmp_path, backgrounds="inpainted", alike=0.25, distractors=0)
    made = drawn(sampler, 200)
    assert 0.7 < len(made.labels) / 200 < 1.3  # as in the real ones, where half of the pictures have two


def test_an_object_whose_box_alone_is_touched_stays():
    thin = np.zeros((48, 64), np.bool_)
    thin[range(10, 16), range(10, 16)] = True  # six pixels: less than would do for one that is covered
    ground = InstanceImages.of_instances(SPEC, np.zeros((1, 48, 64, 1), np.uint8), [[Instance(0, thin)]])
    patch = Patch(1, 14, 10, np.full((2, 2, 1), 255, np.uint8), np.ones((2, 2), np.bool_), 4)
    (found,) = annotated(ground.images, [Scene(0, False, (patch,))], ground, Visibility(0.25, 10)).masks(0)
    assert np.array_equal(found, thin)


@pytest.mark.parametrize("kind", [BOXES, INSTANCES])
def test_of_a_crowd_mostly_covered_the_rest_stays_annotated(kind):
    """Else people of it would be background."""
    people = np.zeros((48, 64), np.bool_)
    people[10:30, 10:30] = True
    alone = [[Instance(0, people, crowd=True)]]
    ground = as_kind(InstanceImages.of_instances(SPEC, np.zeros((1, 48, 64, 1), np.uint8), alone), kind)
    patch = Patch(1, 10, 10, np.full((19, 20, 1), 255, np.uint8), np.ones((19, 20), np.bool_), 380)
    found = annotated(ground.images, [Scene(0, False, (patch,))], ground, Visibility(0.25, 10))
    assert found.boxes[found.crowd].tolist() == [[10, 29, 30, 30]]


def test_what_it_cannot_do_is_said(tmp_path):
    with pytest.raises(NotApplicable, match="needs pictures with masks, boxes or instances"):
        fitted(tiny_pictures(8, 8, 1), tmp_path)
    with pytest.raises(NotApplicable, match="no object to cut in the 1 training pictures"):
        fitted(tiny_scenes(32, 32, 1).select([0]), tmp_path)
    data, crowds = discs(), np.ones(12, np.bool_)
    with pytest.raises(NotApplicable, match="none of their 12 objects has least_pixels of 10 and is no crowd"):
        fitted(replace(data, crowd=crowds), tmp_path)
    with pytest.raises(NotApplicable, match="none of their 12 objects has least_pixels of 900"):
        fitted(data, tmp_path, least_pixels=900)
    with pytest.raises(NotApplicable, match="cannot be asked for by class"):
        next(fitted(discs(), tmp_path).sample(2, seed=0, class_counts=np.array([1, 1], np.int64)))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"objects": "flaw"}, "objects: unknown generator 'flaw'. did you mean 'flow'"),
        ({"object_steps": 5}, "object_steps is for objects that a generator draws"),
        ({"scale": [2.0, 1.0]}, "scale runs from low to high"),
        ({"blend": []}, "option 'blend'"),
        ({"blend": ["alpha"]}, "option 'blend.0'"),
    ],
)
def test_wrong_options_are_one_line(options, said):
    with pytest.raises(UserError) as caught:
        make_options(CutPasteOptions, options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------ drawn objects


@pytest.mark.parametrize("kind", [MASK, INSTANCES])
def test_objects_drawn_by_a_generator_have_their_class_and_mask(kind, tmp_path, dark, monkeypatch):
    """``copy`` draws the real crops again: discs of either class, bright where their masks are."""
    monkeypatch.setattr(drawn_objects, "DRAWN", 6)
    sampler = fitted(as_kind(discs(), kind), tmp_path, objects="copy", backgrounds=str(dark), blend=["none"])
    assert sampler.notes[-1] == "objects: drawn by copy, fitted on 12 real ones; 12 of 12 kept"
    objects = sampler.stock.objects
    names = [objects.spec.classes[label] for label in objects.labels]
    assert sorted(names) == ["disc"] * 6 + ["square"] * 6
    assert (objects.images.shape[1:], objects.spec.height) == ((28, 28, 1), 28)
    for place in range(12):
        inside = objects.masks(place)[0]
        assert objects.images[place][inside].mean() > 180 > 60 > objects.images[place][~inside].mean()
    made = drawn(sampler, 6)
    (tmp_path / "kept").mkdir()
    sampler.save(tmp_path / "kept")
    assert drawn(CutPaste().load(tmp_path / "kept"), 6).fingerprint == made.fingerprint


def test_a_network_can_draw_the_objects(tmp_path, monkeypatch):
    monkeypatch.setattr(drawn_objects, "DRAWN", 8)
    sampler = fitted(tiny_scenes(40, 48, 3), tmp_path, objects="vae", object_side=16, object_steps=8)
    assert sampler.parameter_count > 0
    assert len(drawn(sampler, 4)) == 4


def test_what_cannot_draw_objects_is_said(tmp_path):
    with pytest.raises(UserError, match="objects: cut_paste draws no pictures with one label each"):
        fitted(discs(), tmp_path, objects="cut_paste")


# --------------------------------------------------------------------------------------- real data


@pytest.mark.real_data
def test_the_things_of_camvid_are_found_without_being_named():
    if not os.environ.get("CVBENCH_DATA"):
        pytest.skip("CVBENCH_DATA is not set")
    reader = make_plugin("readers", "camvid", {"size": [96, 128]})
    train = reader.open(Path(os.environ["CVBENCH_DATA"]) / "camvid").train
    found = objects_of(train, None, 10, 0, silent)[1]
    assert found == ("things: Pole, SignSymbol, Car, Pedestrian, Bicyclist",)
