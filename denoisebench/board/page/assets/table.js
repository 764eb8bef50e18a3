// Tables that sort by any column, and a filter for the first of them.
"use strict";

(() => {
  const number = (cell) => (cell.dataset.value === undefined ? null : Number(cell.dataset.value));
  const words = (cell) => cell.textContent.trim();

  function sortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const sorted = head.getAttribute("aria-sort");
        const first = head.dataset.first;
        const other = first === "ascending" ? "descending" : "ascending";
        const order = sorted === first ? other : first;
        heads.forEach((each) => each.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", order);
        table.classList.toggle("resorted", column !== 0 || order !== "ascending");
        body.append(...sortedRows([...body.rows], column, head.dataset.sort, order));
      });
    });
  }

  function sortedRows(rows, column, kind, order) {
    const read = kind === "text" ? words : number;
    const sign = order === "ascending" ? 1 : -1;
    const keyed = rows.map((row) => ({ row, key: read(row.cells[column]) }));
    keyed.sort((one, other) => {
      if (one.key === null || other.key === null) {
        return (one.key === null) - (other.key === null); // what is missing comes last
      }
      const apart = kind === "text" ? one.key.localeCompare(other.key) : one.key - other.key;
      return sign * apart;
    });
    return keyed.map(({ row }) => row);
  }

  function filterable(table) {
    const text = document.getElementById("filter");
    const kinds = [...document.querySelectorAll("[name=kind]")];
    const rows = [...table.tBodies[0].rows];
    const apply = () => {
      const wanted = text.value.toLowerCase().split(/\s+/).filter(Boolean);
      const allowed = new Set(kinds.filter((box) => box.checked).map((box) => box.value));
      let count = 0;
      for (const row of rows) {
        const said = row.textContent.toLowerCase();
        row.hidden = !allowed.has(row.dataset.kind) || !wanted.every((word) => said.includes(word));
        count += !row.hidden;
      }
      document.getElementById("shown").textContent = `${count} of ${rows.length} rows`;
    };
    text.addEventListener("input", apply);
    kinds.forEach((box) => box.addEventListener("change", apply));
    document.querySelector(".filters").hidden = false;
    apply();
  }

  document.querySelectorAll("table.data").forEach(sortable);
  document.querySelectorAll("table.filtered").forEach(filterable);
})();
