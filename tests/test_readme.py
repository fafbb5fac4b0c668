"""The README and the docs: their Python runs, their commands exist, their links lead somewhere."""

import re
import shlex

import pytest
from absl import flags
from helpers import ROOT, TOY

import tfpaths.schema
from tfpaths import experiments, launch, registry

pytestmark = pytest.mark.usefixtures("own_registries")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").glob("*.py"))]


def commands():
    """Every command of the pages: (page, its flags)."""
    for page in PAGES:
        text = page.read_text().replace("\\\n", " ")
        for line in re.findall(r"^(?:    |\t)?(?:.*&& )?python -m tfpaths\.launch (.*)$", text, re.MULTILINE):
            yield page, line


@pytest.mark.parametrize(("page", "line"), list(commands()), ids=lambda value: getattr(value, "name", value))
def test_a_command_has_flags_and_an_experiment_that_exist(page, line):
    words = shlex.split(line.partition("`")[0].partition(" #")[0], comments=True)
    own = {flag.name for flag in flags.FLAGS.get_key_flags_for_module(launch)}
    for word in words:
        if word.startswith("--"):
            assert word[2:].partition("=")[0] in own, word
        if word.startswith("--import=examples."):
            registry.import_module(word.partition("=")[2])
    for word in words:
        name = word.removeprefix("--exp=")
        if name != word and "*" not in name and "NAME" not in name and "<" not in name:
            assert name in experiments.EXPERIMENTS, name


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    short, blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    value = tfpaths.schema.override(experiments.get("color_mnist_dragan_ns"), TOY)
    names = {}
    # As they stand, but for their length and where the digits come from.
    for block, changes in (
        (short, {'"color_mnist_dragan_ns", "runs/a"': 'value, "runs/a"'}),
        (
            blocks,
            {
                'data.load("color_mnist")': 'data.load("color_mnist", source="embedded")',
                "config.Networks()": "config.Networks(generator_filters=2, discriminator_filters=2)",
                "steps_per_epoch=1500": "steps_per_epoch=1, verbose=0",
            },
        ),
    ):
        for whole, shorter in changes.items():
            assert whole in block
            block = block.replace(whole, shorter)
        names |= {"value": value}
        exec(block, names)
    assert names["images"].shape == (64, 28, 28, 3)
    assert names["gan"].step == 1


@pytest.mark.parametrize("page", [page for page in PAGES if page.suffix == ".md"], ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = page.read_text()
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text) + re.findall(r'src="([^"]+)"', text)
    for target in targets:
        if not target.startswith(("http", "mailto:")):
            assert (page.parent / target).exists(), target


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
