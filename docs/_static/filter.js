// The filter of a long reference page: it hides the rows that do not have all the words, and sections left empty.
// A row without an id in its first cell belongs to the row above.
document.addEventListener("DOMContentLoaded", () => {
  const box = document.querySelector(".filter");
  if (!box) return;
  const input = box.querySelector("input");
  const output = box.querySelector("output");
  const sections = [...document.querySelectorAll("article section section")].filter((each) => each.querySelector("table td:first-child code"));
  const groups = sections.flatMap((section) => {
    const found = [];
    for (const row of section.querySelectorAll("tbody tr")) {
      if (row.cells[0].querySelector("code")) found.push({ section, rows: [] });
      found.at(-1)?.rows.push(row);
    }
    return found;
  });
  for (const group of groups) {
    const title = group.section.querySelector("h2").textContent;
    group.text = [title, ...group.rows.map((row) => row.textContent)].join(" ").toLowerCase();
  }
  const apply = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const full = new Set();
    let count = 0;
    for (const group of groups) {
      const shown = words.every((word) => group.text.includes(word));
      for (const row of group.rows) row.hidden = !shown;
      if (shown) {
        full.add(group.section);
        count += 1;
      }
    }
    for (const section of sections) section.hidden = !full.has(section);
    output.textContent = words.length ? `${count} of ${groups.length}` : "";
  };
  input.addEventListener("input", apply);
  box.hidden = false;
  apply();
});
