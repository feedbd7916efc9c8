// The table of all regions: data by columns out of rows.js, drawn, sorted and searched by DataTables.
(async () => {
  "use strict";
  const status = document.getElementById("table-status");

  // Base64 of gzip of JSON: names once, numbers by columns.
  async function unpacked(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).json();
  }

  const escaped = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  const text = (value) => (value === null ? "" : String(value).replace(/[&<>"']/g, (letter) => escaped[letter]));
  const signed = (value) => (value === null ? "" : (value < 0 ? "\u2212" : "+") + Math.abs(value).toFixed(2));
  const greek = { mu: "\u03bc", tau: "\u03c4", gamma: "\u03b3", l: "\u2113", Jpsi: "J/\u03c8", Upsilon: "\u03a5" };
  // Names of particles as symbols, where they are whole words or beside digits and signs.
  const symbols = (value) => (value === null ? null : String(value).replace(
    /(?<![A-Za-z])(?:(?:e|mu|tau|gamma)+|l+|Jpsi|Upsilon)(?![A-Za-z])/g,
    (found) => found.replace(/mu|tau|gamma|l|Jpsi|Upsilon/g, (one) => greek[one])));
  const level = (z) => (z < 0 ? "m" : "p") + Math.min(Math.floor(Math.abs(z)), 6);

  function shown(kind, render) {
    // Sorting and searching take the value itself; what is missing comes last.
    return (value, type, row) => {
      if (type === "display") return render(value, row);
      if (type === "sort" || type === "type") return value === null ? (kind === "num" ? -1e9 : "") : value;
      return value === null ? "" : value;
    };
  }

  function columnsOf(data) {
    const place = data.columns.indexOf("where");
    // Of how many pseudo-experiments none reaches the row: its p and z are bounds.
    const none = data.columns.indexOf("none of");
    return data.columns.map((name, number) => {
      const kind = data.kinds[number];
      const title = text(name);
      if (kind === "z" || kind === "signed") {
        const createdCell = (cell, value) => { if (kind === "z" && value !== null) cell.classList.add(level(value)); };
        const render = (value, row) => {
          const mark = kind === "z" || row[none] === null || value === null ? "" : value < 0 ? "&lt; " : "&gt; ";
          return mark + signed(value);
        };
        return { title, className: "num", type: "num", render: shown("num", render), createdCell };
      }
      if (kind === "p") {
        const render = (value, row) => {
          if (value === null) return "";
          if (value === 0) return "&lt; 1e-300";
          return row[none] === null ? value.toPrecision(2) : `&lt; ${value} (0 of ${row[none]})`;
        };
        return { title, className: "num", type: "num", render: shown("num", render) };
      }
      if (kind === "percent") {
        const render = (value) => (value === null ? "" : Math.abs(value) > 100 ? "> 100 %" : `${signed(value).slice(0, -1)} %`);
        return { title, className: "num", type: "num", render: shown("num", render) };
      }
      if (kind === "num") {
        return { title, className: "num", type: "num",
                 render: shown("num", (value) => (value === null ? "" : value.toLocaleString("en"))) };
      }
      if (number === place) {
        return { title, render: (value, type, row) => {
          const page = row[row.length - 1];
          if (type !== "display" || page === null) return type === "display" ? text(symbols(value)) : value;
          return `<a href="regions/${text(page)}">${text(symbols(value))}</a>`;
        } };
      }
      if (name === "cell") {
        // In words; the name in files is what is sorted and searched, and shown at the pointer.
        const words = new Map((data.names[number] ?? []).map((one, code) => [one, data.cells[code]]));
        const render = (value) => `<span title="${text(value)}">${text(words.get(value) ?? value)}</span>`;
        return { title, render: shown("text", render) };
      }
      const particles = name === "observable" || name === "region";
      return { title, render: shown("text", particles ? (value) => text(symbols(value)) : text) };
    });
  }

  function rowsOf(data) {
    const columns = data.values.map((values, number) =>
      data.names[number] === null ? values : values.map((code) => (code === null ? null : data.names[number][code])));
    const rows = new Array(data.length);
    for (let i = 0; i < data.length; i += 1) rows[i] = columns.map((values) => values[i]);
    return rows;
  }

  function choices(id, values) {
    const box = document.getElementById(id);
    for (const value of [...new Set(values)].filter((one) => one !== null)) box.add(new Option(value, value));
    return box;
  }

  function filtered(table, data, rows) {
    const at = (name) => data.columns.indexOf(name);
    const [where, test, cell, z, leads] = ["where", "test", "cell", "z", "leads"].map(at);
    const form = document.getElementById("filters");
    const place = choices("filter-place", rows.map((row) => row[where]));
    const kind = choices("filter-test", rows.map((row) => row[test]));
    const asked = document.getElementById("filter-cell");
    const least = document.getElementById("filter-z");
    const once = document.getElementById("filter-leads");
    table.search.fixed("filters", (_, row) =>
      (place.value === "" || row[where] === place.value) &&
      (kind.value === "" || row[test] === kind.value) &&
      (asked.value === "" || (row[cell] ?? "").includes(asked.value.trim())) &&
      (!(Number(least.value) > 0) || Math.abs(row[z] ?? 0) >= Number(least.value)) &&
      (!once.checked || row[leads] === 1));
    form.addEventListener("input", () => table.draw());
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
  }

  try {
    const [data, module] = await Promise.all([unpacked(window.DDP_ROWS), import(window.DDP_DATATABLES)]);
    const rows = rowsOf(data);
    const columns = columnsOf(data);
    const hidden = data.columns.map((name, number) => number).filter((number) => data.kinds[number] === "hidden");
    const element = document.getElementById("rows");
    element.querySelector("thead").remove();
    element.querySelector("tbody").remove();
    const table = module.jQuery(element).DataTable({
      data: rows, columns, order: [], pageLength: 25, lengthMenu: [10, 25, 100, 1000], autoWidth: false,
      columnDefs: [{ targets: hidden, visible: false, searchable: false }],
      createdRow: (_, __, ___, cells) => cells.forEach((cell, number) => { cell.dataset.name = data.columns[number]; }),
      layout: { topStart: "pageLength", topEnd: "search", bottomStart: "info", bottomEnd: "paging" },
    });
    filtered(table, data, rows);
    status.textContent = "Sort by the headings, with the keyboard too; search takes every column.";
    document.documentElement.dataset.table = "ready";
  } catch (error) {
    status.textContent = `Only the first rows are shown: the table could not be drawn (${error}).`;
    document.documentElement.dataset.table = "failed";
  }
})();
