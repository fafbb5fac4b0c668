"""The cost of a study."""

from tfpaths import experiments, schema
from tfpaths.lines import cost


def test_operations_of_a_study_by_hand():
    texts = {"study.runs": "1", "schedule.steps": "1", "study.dimension": "3", "study.width": "5"}
    # 3 to 5, 5 to 5, 5 to 1: 45 products and sums for each of 64 examples; 52 passes (5 updates of 10, and 2).
    study = schema.override(experiments.get("line1_wgan_gp"), texts)
    assert cost.operations(study) == 2 * 45 * 64 * 52
    # Without a penalty an update has 6 passes, and there is one.
    study = schema.override(experiments.get("line1_ns"), texts)
    assert cost.operations(study) == 2 * 45 * 64 * 8


def test_finished_runs_take_no_more_time():
    study = schema.override(experiments.get("line1_ns"), {"study.runs": "10"})
    assert cost.seconds([study, study], [10, 12]) == 0
    assert cost.seconds([study], [0]) > 0
