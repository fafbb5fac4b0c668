from absl import flags

from tfpaths import launch, usage


def test_every_flag_is_in_a_group():
    own = {flag.name for flag in flags.FLAGS.get_key_flags_for_module(launch)}
    grouped = [flag.name for members in usage.GROUPS.values() for flag in members]
    assert own == set(grouped)
    assert len(grouped) == len(set(grouped))


def test_help_fits_the_width_except_commands():
    for width in (60, 80, 120):
        lines = [line for line in usage.text(width).splitlines() if "python -m" not in line]
        assert max(map(len, lines[:-1])) <= width


def test_names_do_not_run_into_their_texts():
    lines = usage.text(120).splitlines()
    for flag in (flag for members in usage.GROUPS.values() for flag in members):
        (line,) = [line for line in lines if line.strip().split("=")[0].split(" ")[0] == f"--{flag.name}"]
        assert "  " in line.strip(), line


def test_flag_help_shows_default_and_repeatable():
    assert usage.Flag("a", "PATH", "Text.", []).help == "Text. Repeatable."
    assert usage.Flag("a", "PATH", "Text.", None, "64").help == "Text. Default: 64."
    assert usage.Flag("a", "", "Text.", False).help == "Text."
