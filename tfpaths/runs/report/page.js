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

// A heading of a table that can be sorted is a button; a second click turns the order round.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  // Numbers come before texts, and empty cells last in both orders.
  const key = (row, column) => {
    const cell = row.cells[column];
    const text = cell.textContent.trim();
    const number = Number(cell.dataset.value ?? text);
    if (text === "" || text === "–") return { rank: 2 };
    return Number.isNaN(number) ? { rank: 1, value: text } : { rank: 0, value: number };
  };
  const compare = (one, other) => (one.rank === 0 ? one.value - other.value : one.value.localeCompare(other.value, "en"));
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const sign = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      const keyed = [...body.rows].map((row) => [key(row, column), row]);
      keyed.sort(([one], [other]) => one.rank - other.rank || (one.rank === 2 ? 0 : sign * compare(one, other)));
      body.append(...keyed.map(([, row]) => row));
    });
  });
}
// Without JavaScript nothing is sorted.
for (const how of document.querySelectorAll(".how")) how.hidden = false;
