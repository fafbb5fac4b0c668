"""The tables of a report."""

import pytest

from tfpaths import schema
from tfpaths.runs import report
from tfpaths.runs.directory import RunDirectory
from tfpaths.runs.report import runs as runs_lib
from tfpaths.runs.report import tables


def test_final_values_are_shown_with_floor_and_ceiling(mixed, read_page):
    (final,) = [
        table for table in read_page(mixed.read_text()).tables if table[0][0] == "metric" and "first" in table[0][1]
    ]
    assert final == [
        ["metric", "1 first", "2 second", "real data (floor)", "noise (ceiling)"],
        ["Fréchet classifier distance", "25", "16.67", "1.5", "321"],
    ]


def test_differing_floors_name_their_runs(tmp_path, training_run):
    paths = [training_run(tmp_path / name, floor=floor) for name, floor in (("a", 1.5), ("b", 2.5), ("c", 1.5))]
    table = tables.finals(runs_lib.read([str(path) for path in paths]), "Scores")
    assert table.rows[0].cells[-2:] == ["1.5 (run 1, 3); 2.5 (run 2)", "321"]


def test_differing_fields_are_marked_and_come_first(tmp_path, training_run):
    paths = [
        training_run(tmp_path / "a"),
        training_run(tmp_path / "b", seed=5),
        training_run(tmp_path / "c", "color_mnist_wgan"),
    ]
    rows = tables.configs(runs_lib.read([str(path) for path in paths]))
    # The oracle is the pairwise difference of the configs.
    first, *others = [RunDirectory(path).known() for path in paths]
    assert {row.name for row in rows if row.differs} == {
        path for other in others for path in schema.differences(first, other)
    }
    assert [row.differs for row in rows] == sorted([row.differs for row in rows], reverse=True)
    cells = {row.name: row.cells for row in rows}
    assert cells["seed"] == ["0", "5", "0"]
    assert cells["variant.weight_clip"] == [None, None, "0.01"]
    assert set(cells) == set(schema.flat(first)).union(*map(schema.flat, others))


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (None, "none"), (0.5, "0.5"), ("a, b", "a, b"), (("ns", "dragan"), "ns,dragan"), ([2, 8], "2,8")],
)
def test_values_are_written_in_set_syntax(value, text):
    assert tables.text(value) == text


def test_an_unfinished_run_does_not_differ_in_its_protocol(tmp_path, training_run):
    paths = [training_run(tmp_path / "a"), training_run(tmp_path / "b", finished=False)]
    rows = {row.name: row for row in tables.protocols(runs_lib.read([str(path) for path in paths]))}
    assert (rows["samples"].cells, rows["samples"].differs) == (["7", None], False)


def test_no_field_differs(tmp_path, training_run):
    paths = [str(training_run(tmp_path / name)) for name in ("a", "b")]
    assert "<p>No field differs between the runs.</p>" in report.write(paths).read_text()


def test_cells_show_four_digits_and_are_sorted_by_all():
    assert tables.Cell.of(0.123456) == tables.Cell("0.1235", 0.123456)
    assert tables.Cell.of(20_000) == tables.Cell("20000", 20_000)
    assert [tables.Cell.of(value).value for value in (None, True, "7", [1, 2])] == [None] * 4
    assert [tables.Cell.of(value).text for value in (None, True, "7", [1, 2])] == ["", "true", "7", "1,2"]
