"""Mode coverage: how many modes samples hit, and how unevenly. Metz et al. 2016 (arXiv 1611.02163), section 3.3."""

import numpy as np


def coverage(modes: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Counts samples per mode.

        modes_covered     the number of modes with at least one sample
        modes_kl          KL(model || data) = sum_k q_k log(q_k / p_k), in nats; 0 where q = p

    Each sample belongs to the mode that a classifier reads in it, with no threshold, as in the paper. Of 1,000 modes
    even real images hit all but a few and have a KL near modes / (2 samples), which is what counting alone costs.

    Args:
      modes: `[samples]`, the mode of each, in 0 .. modes - 1.
      probabilities: `[modes]`, the data's own, all above 0.
    """
    counts = np.bincount(modes, minlength=len(probabilities))
    hit = counts > 0
    model = counts[hit] / len(modes)
    return {
        "modes_covered": int(hit.sum()),
        "modes_kl": float(np.sum(model * np.log(model / probabilities[hit]))),
    }
