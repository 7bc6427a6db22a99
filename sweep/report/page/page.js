"use strict";
// A click on a heading sorts the table by that column, a second click the other way round. Cells without a value stay last.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const other = { ascending: "descending", descending: "ascending" };
    const order = other[head.ariaSort] || head.dataset.first;
    const sign = order === "ascending" ? 1 : -1;
    const value = (row) => row.cells[column].dataset.sort;
    const rows = [...body.rows].sort((one, two) => {
      const [a, b] = [value(one), value(two)];
      if (a === "" || b === "") return (a === "") - (b === "");
      const difference = a - b;
      return sign * (Number.isNaN(difference) ? a.localeCompare(b) : difference);
    });
    heads.forEach((each) => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
    body.append(...rows);
  }));
}
