"""The README and the docs: their Python runs, their commands exist, the targets of their links exist."""

import re
import shlex

import pytest
from absl import flags
from helpers import ROOT, TOY

import tfpaths.schema
from tfpaths import experiments, launch, registry

pytestmark = pytest.mark.usefixtures("own_registries")
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").glob("*.py")),
]


def commands():
    """Every command of the pages: (page, its flags)."""
    for page in PAGES:
        text = page.read_text().replace("\\\n", " ")
        for line in re.findall(r"^(?:    |\t)?(?:.*&& +)?python -m tfpaths\.launch (.*)$", text, re.MULTILINE):
            yield page, line


@pytest.mark.parametrize(("page", "line"), list(commands()), ids=lambda value: getattr(value, "name", value))
def test_commands_use_existing_flags_and_experiments(page, line):
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


def programs():
    """Every command of the pages that runs a benchmark or a tool: (module, its flags)."""
    for page in PAGES:
        text = page.read_text().replace("\\\n", " ")
        yield from re.findall(r"python -m ((?:benchmarks|tools)\.\w+)([^`#)\n]*)", text)


@pytest.mark.parametrize(("module", "rest"), sorted(set(programs())))
def test_commands_of_benchmarks_and_tools_use_existing_flags(module, rest):
    source = (ROOT / f"{module.replace('.', '/')}.py").read_text()
    for word in shlex.split(rest):
        name = word.removeprefix("--").partition("=")[0]
        assert word == "--help" or f'"{name}"' in source or f'"--{name}"' in source, word


def test_python_of_the_docs_runs(tmp_path, monkeypatch):
    """The blocks of the pages in the order of a reader, on one toy run; the included examples have their own tests."""
    monkeypatch.chdir(tmp_path)
    train = tfpaths.train

    def short_train(experiment, workdir, **kwargs):
        value = experiments.get(experiment) if isinstance(experiment, str) else experiment
        return train(tfpaths.schema.override(value, TOY), workdir, **kwargs)

    monkeypatch.setattr(tfpaths, "train", short_train)
    tfpaths.train("color_mnist_dragan_ns", "runs/color_mnist_dragan_ns")
    tfpaths.export("runs/color_mnist_dragan_ns")
    readme = set(re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL))
    blocks = []
    for page in ("quickstart", "evaluation", "extending"):
        found = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / f"{page}.md").read_text(), re.DOTALL)
        blocks += [block for block in found if block not in readme and not block.startswith("--8<--")]
    assert len(blocks) == 5
    evaluate = tfpaths.evaluate
    small = ["evaluation.samples=320"]
    monkeypatch.setattr(tfpaths, "evaluate", lambda workdir, texts: evaluate(workdir, [*texts, *small]))
    for block in blocks:
        exec(block, {})


def test_readme_python_runs(tmp_path, monkeypatch):
    short, blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    value = tfpaths.schema.override(experiments.get("color_mnist_dragan_ns"), TOY)
    names = {}
    # Unchanged, except for their length and the source of the digits.
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
def test_link_targets_exist(page):
    text = page.read_text()
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text) + re.findall(r'src="([^"]+)"', text)
    for target in targets:
        if not target.startswith(("http", "mailto:")):
            assert (page.parent / target).exists(), target


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
