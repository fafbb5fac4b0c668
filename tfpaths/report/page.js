// Shows of each run the grid of the chosen step, or the last one before it.
const slider = document.getElementById("step");
if (slider) {
  const steps = JSON.parse(slider.dataset.steps);
  const show = () => {
    const step = steps[slider.value];
    document.getElementById("at").textContent = step.toLocaleString("en");
    slider.setAttribute("aria-valuetext", "step " + step);
    for (const figure of document.querySelectorAll(".grids figure")) {
      const images = [...figure.querySelectorAll("img")];
      const known = images.filter((image) => Number(image.dataset.step) <= step);
      const shown = known.length ? known[known.length - 1] : images[0];
      for (const image of images) image.hidden = image !== shown;
      figure.querySelector(".at").textContent = Number(shown.dataset.step).toLocaleString("en");
    }
  };
  slider.addEventListener("input", show);
  // A browser that comes back to a page may remember where the slider stood.
  show();
}
