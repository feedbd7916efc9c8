// Figures of a page: each has its data beside it as JSON; here they are drawn (drawing.js), zoomed, and given away as CSV,
// SVG or PNG.
(() => {
  "use strict";
  const { d3 } = window;
  const { prepared, drawn, named, known, variable, LEFT, RIGHT } = window.DDP_DRAWING;
  const EXPORTED = 860;

  function shown(element, figure, state) {
    const canvas = element.querySelector(".canvas");
    const { head, nodes, height } = drawn(figure, state.width, state);
    for (const { node, place } of nodes) {
      node.style.left = `${place.x}px`;
      node.style.top = `${place.y}px`;
      node.setAttribute("aria-hidden", "true");
      if (!state.coarse) brushed(element, figure, state, node, place);
    }
    canvas.replaceChildren(head, ...nodes.map((one) => one.node));
    canvas.style.height = `${height}px`;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", figure.text);
    element.dataset.drawn = "yes";
  }

  // Drag over a part to see it alone; a double click shows all again.
  function brushed(element, figure, state, node, place) {
    const two = figure.axes.length === 2, top = two ? 40 : 6, bottom = two ? 42 : place.last ? 40 : 6;
    const box = [[LEFT, top], [place.width - RIGHT, place.height - bottom]];
    const scales = { x: node.scale("x"), y: node.scale("y") };
    const ends = (name, from, to) => [scales[name].invert(from), scales[name].invert(to)].sort((a, b) => a - b);
    const brush = (two ? d3.brush() : d3.brushX()).extent(box).on("end", ({ selection, sourceEvent }) => {
      if (!selection || !sourceEvent) return;
      const [[x1, y1], [x2, y2]] = two ? selection : [[selection[0], 0], [selection[1], 0]];
      if (Math.abs(x2 - x1) < 5) return;
      state.x = ends("x", x1, x2);
      if (two) state.y = ends("y", y1, y2);
      shown(element, figure, state);
    });
    d3.select(node).append("g").attr("class", "brush").call(brush).on("dblclick", () => { state.x = state.y = null; shown(element, figure, state); });
  }

  // The regions with as much around them on both sides.
  function around(figure, number) {
    const axis = figure.axes[number];
    const ends = figure.spans.filter((span) => span.kind !== "mask").map((span) => (number ? [span.y_low, span.y_high] : [span.low, span.high])).filter(([low]) => known(low));
    if (!ends.length) return null;
    const low = d3.min(ends, (one) => one[0]), high = d3.max(ends, (one) => one[1]);
    const wide = Math.max(high - low, 4 * d3.median(axis.edges.slice(1), (edge, i) => edge - axis.edges[i]));
    return [Math.max(low - wide, axis.edges[0]), Math.min(high + wide, axis.edges.at(-1))];
  }

  // -- what is given away ----------------------------------------------------------------------------------------------

  function csvOf(figure) {
    const quoted = (text) => `"${(/^[=+@\t\r-]/.test(text) ? `'${text}` : text).replace(/"/g, '""')}"`;
    const heads = [...figure.axes.flatMap((axis) => [`${named(axis)} from`, `${named(axis)} to`]), ...figure.columns.map((one) => one.label)];
    const lines = figure.bins.map((bin) => [bin.x1, bin.x2, ...(figure.axes.length > 1 ? [bin.y1, bin.y2] : []), ...figure.columns.map((one) => one.values[bin.place] ?? "")].join(","));
    const about = [figure.title, figure.label].filter((text) => text).map((text) => `# ${text.replace(/\s+/g, " ")}`);
    return [...about, heads.map(quoted).join(","), ...lines, ""].join("\n");
  }

  // A table as HEPData has it (coffea_ddp.exports.hepdata): JSON, which is YAML, too.
  function hepdataOf(figure) {
    const units = { GeV: "GEV", TeV: "TEV", MeV: "MEV" };
    const header = (name, unit) => (unit ? { name, units: units[unit] ?? unit } : { name });
    const independent = figure.axes.map(({ label, unit }, i) => ({
      header: header(label, unit),
      values: figure.bins.map((bin) => (i ? { low: bin.y1, high: bin.y2 } : { low: bin.x1, high: bin.x2 })),
    }));
    const shown = figure.columns.filter(({ name }) => !/_(low|high)$/.test(name));
    const dependent = shown.map(({ name, label, values }) => {
      const [low, high] = ["low", "high"].map((end) => figure.byName[`${name}_${end}`]?.values);
      return { header: { name: label }, values: values.map((value, i) => {
        if (!known(value)) return { value: "-" };
        if (!known(low?.[i]) || !known(high?.[i]) || (low[i] === value && high[i] === value)) return { value };
        return { value, errors: [{ asymerror: { plus: high[i] - value, minus: low[i] - value }, label: "stat" }] };
      }) };
    });
    return `${JSON.stringify({ independent_variables: independent, dependent_variables: dependent }, null, 1)}\n`;
  }

  // One picture of all panels, with the colours of the light theme written out.
  function svgOf(figure, state) {
    const { head, nodes, height } = drawn(figure, EXPORTED, { ...state, still: true });
    const outer = d3.create("svg").attr("xmlns", "http://www.w3.org/2000/svg").attr("width", EXPORTED).attr("height", height)
      .attr("viewBox", `0 0 ${EXPORTED} ${height}`).attr("font-family", "Helvetica, Arial, sans-serif");
    outer.append("title").text(figure.text);
    outer.append("rect").attr("width", "100%").attr("height", "100%").attr("fill", variable("paper"));
    outer.append(() => head);
    for (const { node, place } of nodes) {
      node.setAttribute("x", place.x);
      node.setAttribute("y", place.y);
      outer.append(() => node);
    }
    const light = document.body.appendChild(document.createElement("div"));
    light.className = "light";
    const style = getComputedStyle(light);
    const text = new XMLSerializer().serializeToString(outer.node()).replace(/var\((--[\w-]+)\)/g, (_, name) => style.getPropertyValue(name).trim());
    light.remove();
    return text;
  }

  async function pngOf(figure, state) {
    const picture = new Image();
    picture.src = URL.createObjectURL(new Blob([svgOf(figure, state)], { type: "image/svg+xml" }));
    await picture.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [2 * picture.width, 2 * picture.height];
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    URL.revokeObjectURL(picture.src);
    return new Promise((resolve) => { canvas.toBlob(resolve, "image/png"); });
  }

  function given(figure, ending, content, type) {
    const link = document.createElement("a");
    const page = location.pathname.split("/").at(-1).replace(/\.html$/, "");
    link.href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
    link.download = `${page}-${figure.name}.${ending}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function tools(element, figure, state) {
    const bar = document.createElement("div");
    bar.className = "tools";
    const button = (words, title, act) => {
      const one = bar.appendChild(document.createElement("button"));
      Object.assign(one, { type: "button", textContent: words, title });
      one.addEventListener("click", act);
    };
    const again = () => shown(element, figure, state);
    if (around(figure, 0)) button("Zoom to the region", "Show the region and what is beside it", () => { state.x = around(figure, 0); state.y = figure.axes[1] ? around(figure, 1) : null; again(); });
    button("All", "Show all bins (or a double click)", () => {
      const whole = (axis) => axis && [axis.edges[0], axis.edges.at(-1)];
      [state.x, state.y] = figure.axes.map(whole);
      again();
    });
    if (figure.axes.length === 1) button("Log / linear", "Change the scale of contents", () => { state.log = !(state.log ?? figure.panels[0].log); again(); });
    button("CSV", "Download the numbers", () => given(figure, "csv", csvOf(figure), "text/csv"));
    button("HEPData", "Download the numbers as a table of HEPData", () => given(figure, "yaml", hepdataOf(figure), "application/yaml"));
    button("SVG", "Download the figure", () => given(figure, "svg", svgOf(figure, state), "image/svg+xml"));
    button("PNG", "Download the figure as pixels", async () => given(figure, "png", await pngOf(figure, state)));
    element.querySelector(".canvas").after(bar);
  }

  const printed = [];

  for (const element of document.querySelectorAll("figure.plot")) {
    const figure = prepared(JSON.parse(element.querySelector("script[type='application/json']").textContent));
    // What is not shown has no width; it is drawn again when it is.
    const width = () => Math.max(Math.floor(element.clientWidth), 280);
    const state = { x: null, y: null, log: null, still: false, width: width(), coarse: matchMedia("(pointer: coarse)").matches };
    tools(element, figure, state);
    shown(element, figure, state);
    element.figure = { csv: () => csvOf(figure), hepdata: () => hepdataOf(figure), svg: () => svgOf(figure, state), png: () => pngOf(figure, state) };
    printed.push((wide) => { state.width = wide ?? width(); shown(element, figure, state); });
    new ResizeObserver(() => { if (element.clientWidth && Math.abs(width() - state.width) > 2) { state.width = width(); shown(element, figure, state); } }).observe(element);
  }
  window.addEventListener("beforeprint", () => printed.forEach((draw) => draw(520)));
  window.addEventListener("afterprint", () => printed.forEach((draw) => draw()));
  document.documentElement.dataset.figures = "ready";
})();
