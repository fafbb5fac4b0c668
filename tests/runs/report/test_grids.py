"""Sample grids: pictures or texts, up to a limit."""

import io

import PIL.Image

from tfpaths.runs import report
from tfpaths.runs.report import grids
from tfpaths.runs.report import runs as runs_lib


def test_spread_keeps_the_first_and_the_last():
    assert grids.spread([0, 5, 7], 3) == [0, 5, 7]
    assert grids.spread(list(range(0, 41 * 500, 500)), 5) == [0, 5_000, 10_000, 15_000, 20_000]


def test_many_grids_are_thinned_with_a_note(tmp_path, read_page, training_run):
    path = report.write([str(training_run(tmp_path / "a", steps=tuple(range(grids.MOST_GRIDS + 2))))])
    page = read_page(path.read_text())
    assert len([attrs for attrs in page.all("img") if "data-step" in attrs]) == grids.MOST_GRIDS
    assert f"({grids.MOST_GRIDS} of {grids.MOST_GRIDS + 2} grids are shown)" in path.read_text()


def test_files_beside_the_grids_are_ignored(tmp_path, picture, training_run):
    samples = training_run(tmp_path / "a") / "samples"
    for name in ("step_best.png", "best_00000002.png", "step_00000003.png.bak", "step_00000003.npz"):
        (samples / name).write_bytes(picture(7))
    (run,) = runs_lib.read([str(tmp_path / "a")])
    read = grids.read(run)
    assert [(grid.step, grid.png, grid.text) for grid in read.shown] == [(s, picture(10 * s), None) for s in (0, 2, 4)]
    assert read.total == 3


def test_texts_are_preformatted_and_escaped(tmp_path, read_page, training_run):
    samples = training_run(tmp_path / "a", steps=(2, 4)) / "samples"
    for step in (2, 4):
        (samples / f"step_{step:08d}.png").unlink()
        (samples / f"step_{step:08d}.txt").write_text(f"\n  <b>line {step}\nß\n", encoding="utf-8")
    text = report.write([str(tmp_path / "a")]).read_text()
    shown = read_page(text).all("pre")
    assert [(attrs["data-step"], attrs["aria-label"], "hidden" in attrs) for attrs in shown] == [
        ("2", "Samples of run 1, a, at step 2", True),
        ("4", "Samples of run 1, a, at step 4", False),
    ]
    # HTML drops the first line break in <pre>; the text's own stays.
    assert ">\n\n  &lt;b&gt;line 4\nß\n</pre>" in text


def test_small_pictures_and_texts(tmp_path, picture):
    (tmp_path / "step_00000002.png").write_bytes(picture(7))
    (tmp_path / "step_00000010.txt").write_text("x" * 5_000)
    found = grids.paths(tmp_path)
    assert list(found) == [2, 10]
    small = [grids.small(path, step, "a caption") for step, path in found.items()]
    image = PIL.Image.open(io.BytesIO(small[0].jpeg))
    # It is never enlarged.
    assert (image.size, image.getpixel((3, 3))) == ((40, 40), (7, 7, 7))
    assert (small[1].jpeg, len(small[1].text)) == (None, 600)


def test_a_picture_that_would_fill_the_memory_is_left_out(tmp_path, monkeypatch, picture):
    (tmp_path / "step_00000002.png").write_bytes(picture(7))
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 1_000)
    assert grids.small(tmp_path / "step_00000002.png", 2, "") is None
