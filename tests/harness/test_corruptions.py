"""Corruptions: same seed, same pixels; each does what it says and leaves the pictures given alone."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from cvbench.corruptions import BLANK, STRENGTHS, Corruption, corrupt, hole_masks, small_size
from cvbench.errors import NotApplicable, UserError

COLOUR = np.random.default_rng(0).integers(0, 256, (6, 20, 28, 3), dtype=np.uint8)
GREY = COLOUR[..., :1]


@pytest.mark.parametrize("name", STRENGTHS)
@pytest.mark.parametrize("images", [COLOUR, GREY], ids=["colour", "grey"])
def test_shape_type_and_the_pictures_given_stay(name, images):
    if name == "grey" and images is GREY:
        return
    before = images.copy()
    found = corrupt(images, Corruption(name), 1)
    assert found.dtype == np.uint8
    assert found.shape == images.shape
    assert not np.array_equal(found, images)
    assert np.array_equal(images, before)
    assert corrupt(images[:0], Corruption(name), 1).shape == (0, *images.shape[1:])


@pytest.mark.parametrize("name", STRENGTHS)
def test_what_is_drawn_depends_on_the_seed_and_the_place_alone(name):
    whole = corrupt(COLOUR, Corruption(name), 1)
    assert np.array_equal(corrupt(COLOUR, Corruption(name), 1), whole)
    assert np.array_equal(corrupt(COLOUR[:3], Corruption(name), 1), whole[:3])
    drawn = name in ("hole", "noise")
    assert np.array_equal(corrupt(COLOUR, Corruption(name), 2), whole) is not drawn
    alike = corrupt(np.repeat(COLOUR[:1], 6, axis=0), Corruption(name), 1)
    assert all(np.array_equal(alike[0], other) for other in alike[1:]) is not drawn


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_a_hole_is_one_rectangle_of_the_size_asked_for(share):
    images = np.zeros((200, 20, 28, 1), np.uint8)
    masks = hole_masks(images.shape, share, 3)
    assert np.array_equal(corrupt(images, Corruption("hole", share), 3)[..., 0] == BLANK, masks)
    high, wide = masks.any(2).sum(1), masks.any(1).sum(1)
    assert np.array_equal(high * wide, masks.sum((1, 2)))
    assert max(1, round(0.5 * share * 20)) <= high.min() <= high.max() <= max(1, round(share * 20))
    assert wide.max() <= max(1, round(share * 28))


def test_noise_has_the_deviation_asked_for():
    images = np.full((20, 20, 28, 3), 128, np.uint8)
    difference = corrupt(images, Corruption("noise", 0.1), 0).astype(float) - 128
    assert difference.std() == pytest.approx(25.5, rel=0.02)
    assert difference.mean() == pytest.approx(0, abs=0.5)


def test_grey_is_the_luma():
    found = corrupt(COLOUR, Corruption("grey"), 0)
    assert np.abs(found[..., 0] - COLOUR @ [0.299, 0.587, 0.114]).max() <= 1
    assert (found == found[..., :1]).all()
    with pytest.raises(NotApplicable, match="colour"):
        corrupt(GREY, Corruption("grey"), 0)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_the_small_picture_lies_whole_inside_the_low_resolution_one(factor):
    size = small_size(20, 28, factor)
    for image, low in zip(COLOUR, corrupt(COLOUR, Corruption("low_resolution", factor), 0), strict=True):
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        assert np.array_equal(cv2.resize(low, size, interpolation=cv2.INTER_NEAREST_EXACT), small)
        assert len(np.unique(low.reshape(-1, 3), axis=0)) <= size[0] * size[1]


def test_edges_are_where_the_brightness_jumps():
    images = np.zeros((1, 20, 28, 1), np.uint8)
    images[:, :, 14:] = 255
    found = corrupt(images, Corruption("edges"), 0)[0, :, :, 0]
    assert set(np.unique(found)) == {0, 255}
    assert set(np.flatnonzero(found.any(0))) <= {13, 14}
    assert len(np.flatnonzero(found.any(1))) >= 18


def test_an_inverted_picture_and_the_picture_are_white_together():
    assert (corrupt(COLOUR, Corruption("inverted"), 0).astype(int) + COLOUR == 255).all()


@pytest.mark.parametrize(
    ("name", "strength", "words"),
    [
        ("holes", None, "did you mean 'hole'"),
        ("hole", 0.0, "from 0.05 to 0.95"),
        ("hole", 1.0, "from 0.05 to 0.95"),
        ("noise", float("nan"), "from 0.005 to 1"),
        ("low_resolution", 2.5, "a whole number from 2 to 4"),
        ("low_resolution", 5, "a whole number from 2 to 4"),
        ("grey", 0.5, "no strength"),
    ],
)
def test_an_impossible_corruption_is_one_line(name, strength, words):
    with pytest.raises(UserError, match=words) as caught:
        Corruption(name, strength)
    assert "\n" not in str(caught.value)


def test_importing_it_costs_nothing():
    program = "import sys, cvbench.corruptions; print(*[m for m in ('cv2', 'torch') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "\n"


def test_the_documented_strengths_are_the_ones_that_hold():
    documented = (Path(__file__).parent.parent.parent / "docs" / "generators.md").read_text()
    for name, bounds in STRENGTHS.items():
        if bounds is not None:
            row = next(line for line in documented.splitlines() if line.startswith(f"| `{name}` |"))
            assert bounds.meaning in row
            assert f"| {bounds.low:g} to {bounds.high:g} | {bounds.usual:g} |" in row
