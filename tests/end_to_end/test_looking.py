"""What a run made and what its models answer can be looked at, wherever its data lies."""

import numpy as np
from PIL import Image

from cvbench.curve_showing import chart

SUITE = """
name: pairs
task: segmentation
seeds: 1
datasets: [{name: ./pairs, val_fraction: 0.25}]
models: [fcn_light]
generators: [copy, cut_paste, {name: mix, of: [copy, cut_paste]}]
regimes: [mixed]
fidelity: none
budget: {steps: 2, batch_size: 4}
"""


def test_a_suite_of_a_folder_beside_it_can_be_looked_at_from_anywhere(tmp_path, cvbench):
    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        (tmp_path / "pairs" / part).mkdir(parents=True)
    for place in range(12):
        mask = np.zeros((32, 32), np.uint8)
        mask[4 : 10 + place, 6:20] = 1 + place % 2
        pixels = mask[..., None] * 80 + rng.integers(0, 40, (32, 32, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "pairs/images" / f"{place}.png")
        Image.fromarray(mask).save(tmp_path / "pairs/masks" / f"{place}.png")
    (tmp_path / "pairs/classes.txt").write_text("ground\nbox\nball\n")
    (tmp_path / "suite.yaml").write_text(SUITE)
    run = tmp_path / "run"
    said = cvbench("run", tmp_path / "suite.yaml", "--out", run)
    assert said.code == 0, said
    shown = cvbench("show", "samples", run, "--out", tmp_path / "samples")
    assert (shown.code, len(list((tmp_path / "samples").iterdir()))) == (0, 3), shown
    shown = cvbench("show", "predictions", run, "--out", tmp_path / "predictions")
    assert shown.code == 0, shown
    (sheet,) = (tmp_path / "predictions").iterdir()
    rows = 4  # picture, truth, trained on real alone, with cut_paste; nothing that a control is part of
    assert Image.open(sheet).height // 256 == rows
    assert "the run has no seed 7" in cvbench("show", "predictions", run, "--seed", 7).err


FITS = """
name: fits
task: classification
seeds: 1
datasets: [digits]
models: [simple_cnn]
generators:
  - {name: vae, budget: {steps: 45, batch_size: 8}, options: {width: 16}}
  - {name: dcgan, budget: {steps: 20, batch_size: 8}, options: {width: 8}}
  - copy
regimes: [mixed]
ratios: [0.1]
fidelity: none
budget: {steps: 2, batch_size: 4}
"""


def test_the_curves_of_fits_are_drawn(tmp_path, cvbench):
    (tmp_path / "suite.yaml").write_text(FITS)
    assert cvbench("run", tmp_path / "suite.yaml", "--out", tmp_path / "run").code == 0
    shown = cvbench("show", "curves", tmp_path / "run", "--out", tmp_path / "curves")
    assert shown.code == 0, shown
    vae, dcgan = (tmp_path / "curves" / f"digits-100_-{name}-seed0.png" for name in ("vae", "dcgan"))
    assert sorted((tmp_path / "curves").iterdir()) == [dcgan, vae]  # a control fits nothing
    assert all(np.asarray(Image.open(file)).std() > 10 for file in (vae, dcgan))
    assert "the run has no seed 7" in cvbench("show", "curves", tmp_path / "run", "--seed", 7).err


def test_a_line_of_a_curve_joins_the_panel_of_its_kind():
    loss = [(1, 2.0), (21, 1.0), (41, 0.5)]
    one = chart({"loss, 3": loss, "loss, 7": loss}, "two classes")
    two = chart({"loss": loss, "mode coverage": [(20, 1.0)]}, "two kinds")
    assert two.width > 1.5 * one.width
    assert one.height == two.height
