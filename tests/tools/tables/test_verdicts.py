"""The verdicts in the tables of WGAN-GP's figures and of perfect discriminators follow the numbers."""

from tools.tables import perfect, wgan_gp


def of_sets(**values):
    """Returns these metrics for each data set."""
    return {name.replace("DATA", data): value for name, value in values.items() for data in wgan_gp._DATA}


def test_shares_of_w1():
    metrics = of_sets(wgan_DATA_seen_high=0.4, wgan_gp_DATA_seen_low=0.5)
    assert wgan_gp._simple(metrics) == "each run of the penalty sees more: on 4 of 4 data sets; ignore: no"
    metrics |= {"wgan_gp_swiss_roll_seen_low": 0.3, "wgan_gaussian_seen_high": 0.05}
    assert wgan_gp._simple(metrics) == "each run of the penalty sees more: on 3 of 4 data sets; ignore: yes"


def test_norms():
    metrics = of_sets(wgan_DATA_slope_mean=0.95, wgan_gp_DATA_slope_mean=1.05, gan_gp_DATA_slope_mean=1.0)
    metrics["gan_gp_gaussian_slope_mean"] = 1.2
    assert wgan_gp._norm_one(metrics) == "within 0.1: penalty yes, GAN-GP no, clipping yes"


def test_vanishing_exploding_and_clipped_weights():
    metrics = {"penalty_decades_low": -0.5, "penalty_decades_high": 0.5}
    ranges = {"0.1": (1.5, 2.0), "0.01": (-3.0, -0.5), "0.001": (-5.0, -4.0)}
    for clip, (low, high) in ranges.items():
        metrics |= {f"clip_{clip}_decades_low": low, f"clip_{clip}_decades_high": high}
        metrics |= {f"clip_{clip}_at_clip": 0.5, f"clip_{clip}_at_clip_first": 0.6 if clip == "0.1" else 0.4}
    assert wgan_gp._vanishing(metrics) == (
        "in each run tenfold or more: vanishes for c = 0.001, explodes for c = 0.1; less than tenfold with the "
        "penalty: yes"
    )
    assert wgan_gp._pushed(metrics) == "more than after the first step: for c = 0.01, 0.001"
    assert wgan_gp._vanishing(metrics | {"penalty_decades_high": 1.5}).endswith("no")


def test_diverging_losses():
    metrics = {f"{name}_gap_errors": gap for name, gap in (("wgan", 2.5), ("wgan_gp", 1.9), ("gan_gp", -3.0))}
    metrics |= {f"{name}_train": 2.0 for name in wgan_gp._OVERFIT}
    metrics |= {"wgan_train_at_peak": 3.0, "wgan_gp_train_at_peak": 1.0, "gan_gp_train_at_peak": 2.0}
    assert wgan_gp._diverging(metrics) == (
        "above 2 standard errors: clipping yes, penalty no, GAN-GP no; the first rises: penalty"
    )


def test_convergence():
    scores = {"wgan": 2.0, "wgan_gp_rmsprop": 3.0, "wgan_gp": 1.9, "ns": 2.1}
    metrics = {f"{name}_score": value for name, value in scores.items()}
    metrics |= {f"{name}_distance": 10.0 - value for name, value in scores.items()}
    metrics |= {"wgan_gp_distance": 7.5, "wgan_gp_seconds": 20.0, "ns_seconds": 10.0, "runs": 1.0}
    assert wgan_gp._higher(metrics, "wgan") == (
        "RMSprop: higher score yes, lower distance yes; Adam: higher score no, lower distance yes; 1 seed"
    )
    assert wgan_gp._near(metrics) == "within a tenth: yes; more slowly: yes; 1 seed"
    other = metrics | {"wgan_gp_score": 1.8, "ns_seconds": 30.0, "runs": 3.0}
    assert wgan_gp._near(other) == "within a tenth: no; more slowly: no; 3 seeds"
    assert wgan_gp._of_methods(metrics, "score", "ns", "wgan_gp", "wgan") == "2.10, 1.90 and 2.00"


def test_bound_holds_only_where_the_share_is_one():
    assert perfect._bound(1.0) == "above 1 on every row that has a bound"
    assert perfect._bound(0.5) == "above 1 on 50 % of the rows that have a bound"
