"""Scenes that a network paints: exact layouts, what they are made of, and the promises of three generators."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from cvbench_generators.scenes.learnt import Joint, JointOptions, LayoutOptions, Mask2Image, Sim2Real
from cvbench_generators.scenes.learnt.joint import codes_of, drawn_size, taken_apart, with_mask_channels
from cvbench_generators.scenes.learnt.layouts import annotated, draw_layout, real_layout
from cvbench_generators.scenes.learnt.mask2image import plan_of, planes_of
from cvbench_generators.scenes.learnt.regions import regions_of
from cvbench_generators.scenes.learnt.sim2real import rendered
from cvbench_generators.scenes.pieces import pieces_of

from cvbench.conformance import tiny_pictures, tiny_scenes
from cvbench.contracts import Budget, Workplace, silent
from cvbench.datasets import as_kind, gather
from cvbench.errors import DataError, NotApplicable, UserError
from cvbench.plugins import make_options
from cvbench.samples import AnnotationKind, DatasetSpec
from cvbench.scenes import IGNORED, Instance, InstanceImages, SegmentedImages

MASK, BOXES, INSTANCES = AnnotationKind.MASK, AnnotationKind.BOXES, AnnotationKind.INSTANCES
SPEC = DatasetSpec("toy", INSTANCES, ("disc", "square"), 32, 40, 3)
PLAIN = LayoutOptions(flips="none", alike=1.0)


def discs(count=4, width=40):
    """Each picture in a grey of its own, with a brighter disc of class 0 and, at the right border, one of class 1."""
    images, listed = np.zeros((count, 32, width, 3), np.uint8), []
    for place in range(count):
        images[place] = 20 + 10 * place
        images[place, ::5, ::3] += 2
        listed.append([])
        for label, (x, y) in enumerate([(10 + place, 14), (width - 3, 10 + 2 * place)]):
            disc = np.zeros((32, width), np.uint8)
            cv2.circle(disc, (x, y), 5, 1, -1)
            images[place][disc > 0] = 120 + 30 * label + place
            listed[-1].append(Instance(label, disc.astype(bool)))
    return InstanceImages.of_instances(replace(SPEC, width=width), images, listed)


def fitted(generator, train, folder, steps=2, seed=0):
    budget = Budget(steps, 4, "fp32")
    return generator.fit(train, budget=budget, seed=seed, progress=silent, workplace=Workplace(folder))


# ------------------------------------------------------------------------------------------ layouts


@pytest.mark.parametrize("kind", [MASK, INSTANCES])
def test_a_real_pictures_layout_is_its_annotation(kind):
    data = as_kind(tiny_scenes(32, 40, 3), kind)
    regions = regions_of(data, PLAIN, "test")
    layouts = [real_layout(regions, place) for place in range(len(data))]
    back = annotated(data.spec, data.images, layouts)
    if kind is MASK:
        assert np.array_equal(back.masks, data.masks)
        return
    assert np.array_equal(as_kind(back, MASK).masks, as_kind(data, MASK).masks)
    assert np.array_equal(np.stack([layout.classes for layout in layouts]), as_kind(data, MASK).masks)


def test_new_layouts_agree_with_themselves_and_are_made_of_real_objects():
    data = discs()
    regions = regions_of(data, PLAIN, "test")
    shapes = [piece.mask for place in range(len(data)) for piece in pieces_of(data, place)]
    places, counts, whole = set(), [], 0
    for seed in range(40):
        layout = draw_layout(regions, np.random.default_rng(seed))
        assert np.array_equal(layout.classes > 0, layout.owners > 0)
        made = annotated(SPEC, np.zeros((1, 32, 40, 3), np.uint8), [layout])
        assert np.array_equal(as_kind(made, MASK).masks[0], layout.classes)
        counts.append(len(layout.pieces))
        in_front = np.zeros((32, 40), bool)
        for piece in reversed(layout.pieces):
            x1, y1, x2, y2 = piece.box
            assert is_left_of_one(shapes, piece, in_front)
            whole += not in_front[y1:y2, x1:x2].any()
            in_front[y1:y2, x1:x2] |= piece.mask
            seen = layout.colours[y1:y2, x1:x2][piece.mask]
            assert len(np.unique(seen)) == 1  # one real object's colour
            assert 120 + 30 * piece.label <= seen[0, 0] <= 123 + 30 * piece.label
            if piece.label == 1:
                assert x2 == 40  # cut by the border in its picture: it stays there
            places.add((piece.label, x1, y1))
    assert len(places) > 20
    assert min(counts) >= 1
    assert set(counts) >= {1, 2}
    assert whole > sum(counts) / 2


def is_left_of_one(shapes, piece, in_front):
    """Whether the piece is one of the shapes, at some place in the picture, without what lies in front of it."""
    seen, (x1, y1, x2, y2) = np.zeros_like(in_front), piece.box
    seen[y1:y2, x1:x2] = piece.mask
    for shape in shapes:
        high, wide = shape.shape
        for y in range(max(0, y2 - high), min(y1, 32 - high) + 1):
            for x in range(max(0, x2 - wide), min(x1, 40 - wide) + 1):
                whole = np.zeros_like(in_front)
                whole[y : y + high, x : x + wide] = shape
                if np.array_equal(whole & ~in_front, seen):
                    return True
    return False


def test_what_is_wider_than_a_pictures_content_is_not_put_there():
    regions = regions_of(discs(), replace(PLAIN, exchanged=0.0), "test")
    narrow = replace(regions, content=np.tile(np.array([30, 0, 40, 32], np.float32), (4, 1)))  # the discs have 11
    for seed in range(8):
        layout = draw_layout(narrow, np.random.default_rng(seed))
        assert all(piece.label == 1 for piece in layout.pieces)  # the border's stay where they are


def test_what_is_exchanged_is_as_asked():
    regions = regions_of(discs(), replace(PLAIN, exchanged=0.0), "test")
    layout = draw_layout(regions, np.random.default_rng(1))
    assert sorted(piece.label for piece in layout.pieces) == [0, 1]
    mirrored = regions_of(discs(), replace(PLAIN, exchanged=0.0, flips="horizontal"), "test")
    edges = [[piece.box[0] for piece in draw_layout(mirrored, np.random.default_rng(s)).pieces] for s in range(8)]
    assert any(0 in own for own in edges)
    assert any(0 not in own for own in edges)


def test_a_picture_borrows_from_others_alone():
    """However few lend: with a share of a quarter, of four pictures one does, and each looks most like itself."""
    regions = regions_of(discs(), replace(PLAIN, alike=0.25), "test")
    lenders = [regions.lenders(place).tolist() for place in range(4)]
    assert lenders in ([[1], [0], [near], [2]] for near in (1, 3))
    exchanging = replace(regions, options=replace(PLAIN, alike=0.25, exchanged=1.0))
    for seed in range(8):
        layout = draw_layout(exchanging, np.random.default_rng(seed))
        own = round((layout.colours[-1, 0, 0] - 20) / 10)  # by the ground's grey, an object's picture by its brightness
        brightness = layout.colours[layout.owners > 0][:, 0]
        assert set((brightness % 10).tolist()) == set(lenders[own])
    assert regions_of(discs(1), PLAIN, "test").lenders(0).tolist() == [0]


def test_the_hole_of_a_dropped_region_is_filled_with_its_surroundings():
    data = as_kind(discs(), MASK)
    masks = data.masks.copy()
    masks[masks == 0] = 3
    masks[:, 26:] = 0
    masks[:, :, :3] = IGNORED
    spec = replace(data.spec, classes=("road", "disc", "square", "sky"))
    regions = regions_of(replace(data, spec=spec, masks=masks), replace(PLAIN, things=("disc", "square")), "test")
    expected = np.full((32, 40), 3)
    expected[26:] = 0
    expected[:, :3] = IGNORED
    assert np.array_equal(regions.grounds[0], expected)
    colours = regions.ground_colours[2]
    assert colours.shape == (5, 3)
    assert np.abs(colours[[0, 3, 4]].astype(int) - 40).max() <= 1
    dropped = draw_layout(replace(regions, options=replace(PLAIN, exchanged=1.0)), np.random.default_rng(0))
    assert dropped.pieces


def test_of_boxes_the_ellipses_are_moved():
    boxes = as_kind(discs(), BOXES)
    regions = regions_of(boxes, PLAIN, "test")
    again = annotated(boxes.spec, boxes.images, [real_layout(regions, place) for place in range(4)])
    assert np.abs(again.boxes - boxes.boxes).max() <= 1
    assert np.array_equal(again.labels, boxes.labels)


def test_plans_and_renderings_show_the_layout():
    regions = regions_of(discs(), PLAIN, "test")
    layout = real_layout(regions, 0)
    plan = plan_of(regions, layout, np.random.default_rng(0))
    planes = planes_of(torch.from_numpy(plan).permute(2, 0, 1)[None], SPEC)[0, :, :32, :40].numpy()
    assert planes.shape == (4 + 1 + 3 + 1, 32, 40)
    assert np.array_equal(planes[:4].argmax(0), layout.classes)
    assert (planes[:4].sum(0) == 1).all()
    inside = layout.owners == 2  # the disc: owners count from the front
    assert planes[4][inside].sum() < inside.sum() / 2
    assert planes[4].any()
    assert np.allclose(planes[5:8, inside], (120 - 127.5) / 127.5, atol=0.01)
    picture = rendered(regions, layout, np.random.default_rng(0)).astype(float)
    assert np.abs(picture[layout.owners == 1].mean() - 150) < 5
    assert 4 < picture[layout.owners == 0].std() < 20


def test_the_pairs_of_a_mirrored_layout_have_borders_at_the_right_and_padding_at_the_right(tmp_path, monkeypatch):
    """As sampling gives them. Objects here differ in class from what is beside them: classes tell the borders."""
    seen = []

    def play(networks, pairs, *rest, **named):
        torch.manual_seed(0)
        seen.extend(pairs(number) for number in range(12))
        return {}

    monkeypatch.setattr("cvbench_generators.scenes.learnt.mask2image.play", play)
    fitted(Mask2Image(), discs(width=36), tmp_path)
    at_left = 0
    for x, y in seen:
        classes, border = x[:, :4].argmax(1), x[:, 4, :, :36]
        expected = torch.zeros_like(border, dtype=torch.bool)
        expected[:, :, :-1] |= classes[:, :, 1:36] != classes[:, :, :35]
        expected[:, :-1] |= classes[:, 1:, :36] != classes[:, :-1, :36]
        assert torch.equal(border.bool(), expected)
        assert (x[..., 36:] == x[..., 35:36])[:, :8].all()
        assert (y[..., 36:] == y[..., 35:36]).all()
        colours, objects = x[:, 5:8], (classes > 0)[:, None].expand(-1, 3, -1, -1)
        assert torch.allclose(colours[objects], y[objects], atol=0.02)  # the picture is turned with its layout
        at_left += bool((classes[:, :, 0] == 2).any())
    assert 0 < at_left < 12


# -------------------------------------------------------------------------------------------- joint


def test_pictures_with_mask_channels_are_taken_apart_again():
    data = as_kind(discs(), MASK)
    masks = data.masks.copy()
    masks[:, :4] = IGNORED
    data = replace(data, masks=masks)
    joined = with_mask_channels(data, 64)
    assert joined.images.shape == (4, 32, 40, 5)
    back = taken_apart(joined, data.spec)
    assert np.array_equal(back.images, data.images)
    assert np.array_equal(back.masks, data.masks)
    noisy = np.clip(joined.images + np.random.default_rng(0).normal(0, 30, joined.images.shape), 0, 255)
    assert np.array_equal(taken_apart(replace(joined, images=noisy.astype(np.uint8)), data.spec).masks, data.masks)
    for classes in (1, 2, 3, 7, 8, 11, 255):
        assert len(np.unique(codes_of(classes), axis=0)) == classes + 1


def test_large_pictures_are_drawn_small_and_enlarged(tmp_path):
    data = as_kind(discs(), MASK)
    assert drawn_size(data.spec, 20) == (16, 20)
    small = with_mask_channels(data, 20)
    assert small.images.shape == (4, 16, 20, 5)
    back = taken_apart(small, data.spec)
    assert back.masks.shape == data.masks.shape
    assert (back.masks == data.masks).mean() > 0.9
    sampler = fitted(Joint(JointOptions(side=20)), data, tmp_path)
    assert sampler.notes == ("picture and mask drawn together by flow", "drawn at 20x16, enlarged to 40x32")
    assert gather(sampler.sample(3, seed=0), data.spec).masks.shape == (3, 32, 40)
    assert sampler.parameter_count > 1000


def test_a_mask_that_is_made_small_and_large_again_stays_where_its_picture_is():
    """The mean place of an edge, over edges at all places of either axis: the picture's and the mask's."""
    spec = DatasetSpec("edges", MASK, ("first", "second"), 96, 128, 1)
    columns, rows = np.arange(24, 104), np.arange(24, 72)
    masks = np.concatenate(
        [
            np.broadcast_to(np.arange(128) >= columns[:, None, None], (80, 96, 128)),
            np.broadcast_to(np.arange(96)[:, None] >= rows[:, None, None], (48, 96, 128)),
        ]
    ).astype(np.uint8)
    back = taken_apart(with_mask_channels(SegmentedImages(spec, 255 * masks[..., None], masks), 40), spec)
    for made in (back.masks, back.images[..., 0] / 255):
        moved = (1 - made.astype(float)).mean(axis=(1, 2)) - (1 - masks.astype(float)).mean(axis=(1, 2))
        assert abs(moved[:80].mean() * 128) < 0.15
        assert abs(moved[80:].mean() * 96) < 0.15


def test_another_generator_can_draw(tmp_path):
    data = as_kind(discs(), MASK)
    sampler = fitted(Joint(make_options(JointOptions, {"drawn_by": "vae"})), data, tmp_path)
    assert len(gather(sampler.sample(2, seed=0), data.spec)) == 2
    with pytest.raises(UserError, match="drawn_by: unknown generator 'flwo'"):
        make_options(JointOptions, {"drawn_by": "flwo"})
    with pytest.raises(UserError, match="drawn_by: cut_paste draws no pictures with one label each"):
        fitted(Joint(JointOptions(drawn_by="cut_paste")), data, tmp_path)
    with pytest.raises(UserError, match="flow: option 'width'"):
        fitted(Joint(JointOptions(width=50)), data, tmp_path)


# --------------------------------------------------------------------------------- fitting and loading


class Killed(Exception):
    pass


@pytest.mark.parametrize("cls", [Mask2Image, Sim2Real])
def test_a_killed_fit_continues_to_the_same_bits(cls, tmp_path, monkeypatch):
    monkeypatch.setattr("cvbench.training.CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("cvbench_generators.scenes.learnt.sim2real.RENDERED", 16)
    data = discs()
    whole = fitted(cls(), data, tmp_path / "whole", steps=4)

    def kill(done, total, note=""):
        if note.startswith("fitting") and done == 3:
            raise Killed

    torn = Workplace(tmp_path / "torn")
    with pytest.raises(Killed):
        cls().fit(data, budget=Budget(4, 4, "fp32"), seed=0, progress=kill, workplace=torn)
    assert (torn.folder / "checkpoint.pt").exists()
    again = cls().fit(data, budget=Budget(4, 4, "fp32"), seed=0, progress=silent, workplace=torn)
    one, other = (gather(sampler.sample(3, seed=1), data.spec).fingerprint for sampler in (whole, again))
    assert one == other


def test_what_is_not_for_them_is_refused_with_a_reason(tmp_path):
    for generator in (Mask2Image(), Sim2Real(), Joint()):
        with pytest.raises(NotApplicable, match="needs pictures with"):
            fitted(generator, tiny_pictures(16, 16, 1), tmp_path)
    for generator in (Mask2Image(), Sim2Real()):
        with pytest.raises(NotApplicable, match="needs pictures of at least 8 pixels a side"):
            fitted(generator, as_kind(tiny_scenes(6, 40, 3), MASK), tmp_path)
    empty = InstanceImages.of_instances(SPEC, np.zeros((2, 32, 40, 3), np.uint8), [[], []])
    with pytest.raises(NotApplicable, match="no object in the 2 training pictures"):
        fitted(Mask2Image(), empty, tmp_path)


def test_a_damaged_sampler_is_one_line(tmp_path):
    for name, generator, train in (("m", Mask2Image(), discs()), ("j", Joint(), as_kind(discs(), MASK))):
        folder = tmp_path / name
        folder.mkdir()
        sampler = fitted(generator, train, tmp_path / f"{name}-work")
        sampler.save(folder)
        with pytest.raises(NotApplicable, match="cannot be asked for by class"):
            next(sampler.sample(2, seed=0, class_counts=np.array([1, 1])))
        for file in folder.glob("*.json"):
            file.write_text("{")
        with pytest.raises(DataError, match="not a readable sampler"):
            generator.load(folder)
