"""The sentence about the course of a text model."""

from tools.tables import texts


def test_course_names_samples_steps_and_time(monkeypatch):
    run = {"step": 300, "seconds_per_step": 2.0, "protocol": {"text_samples": 9_000}}
    run |= {"js_4_course": {"100": 0.75, "200": 0.5, "300": 0.25}, "js_4_course_samples": 1_000}
    stored = {"made": {"processor": "AMD", "cores": 1}, "runs": {"text": run}}
    monkeypatch.setattr(texts, "read", lambda name: stored)
    assert texts.texts_course() == (
        "During training, `js_4` of 1,000 samples, fewer than the table's 9,000, was 0.75, 0.50, 0.25 at steps 100, "
        "200, … 300. The 300 steps took 10 minutes on 1 core of an AMD, by the median time of a step."
    )
