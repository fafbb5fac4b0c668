// Each run shows its grid of the chosen step, or the last one before it.
for (const samples of document.querySelectorAll(".samples")) {
  const slider = samples.querySelector("input");
  const steps = JSON.parse(slider.dataset.steps);
  const show = () => {
    const step = steps[slider.value];
    samples.querySelector("output").textContent = step.toLocaleString("en");
    slider.setAttribute("aria-valuetext", "step " + step);
    for (const figure of samples.querySelectorAll("figure")) {
      const grids = [...figure.querySelectorAll("[data-step]")];
      const past = grids.filter((grid) => Number(grid.dataset.step) <= step);
      const shown = past.length ? past[past.length - 1] : grids[0];
      for (const grid of grids) grid.hidden = grid !== shown;
      figure.querySelector(".at").textContent = Number(shown.dataset.step).toLocaleString("en");
    }
  };
  slider.addEventListener("input", show);
  // Without JavaScript there is no slider, because it would move nothing.
  samples.querySelector(".slider").hidden = false;
  // A browser that returns to a page may restore the slider's position.
  show();
}
