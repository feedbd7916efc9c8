// Drawing of figures: data as coffea_ddp.pages.pictures.figure makes them become SVG by Observable Plot. Colours are
// variables of the style sheet.
window.DDP_DRAWING = (() => {
  "use strict";
  const { d3, Plot } = window;
  const LEFT = 62, RIGHT = 16, SIDES = 6, CONTENTS = 9;
  const variable = (name) => `var(--${name})`;
  const known = (value) => value !== null && Number.isFinite(value);
  const minus = (text) => String(text).replace(/^-/, "\u2212");
  const short = (value) => (known(value) ? minus(Number(value.toPrecision(5)).toLocaleString("en", { maximumSignificantDigits: 5 })) : "");
  // Numbers at ticks: those that would be long have prefixes, 2.5M.
  const ticked = (value) => (Math.abs(value) >= 1e5 ? d3.format("~s")(value) : minus(value.toLocaleString("en", { maximumSignificantDigits: 6 })));
  const named = (axis) => (axis.unit ? `${axis.label} [${axis.unit}]` : axis.label);

  // The data as they are drawn: columns by name, and one record for every bin.
  function prepared(data) {
    const columns = Object.fromEntries(data.columns.map((one) => [one.name, one]));
    const [x, y] = data.axes;
    const inner = y ? y.edges.length - 1 : 1;
    const bins = d3.range((x.edges.length - 1) * inner).map((place) => {
      const i = Math.floor(place / inner), j = place % inner;
      return { place, x1: x.edges[i], x2: x.edges[i + 1], y1: y && y.edges[j], y2: y && y.edges[j + 1] };
    });
    return { ...data, byName: columns, bins, value: (name, bin) => columns[name].values[bin.place] };
  }

  const shownOf = (axis) => [axis.low ?? axis.edges[0], axis.high ?? axis.edges.at(-1)];
  // Tells of a place along an axis whether it is in the frame, as it is zoomed.
  const inFrame = (range, axis) => {
    const [low, high] = range ?? shownOf(axis);
    return (place) => place >= low && place <= high;
  };
  const middle = (low, high, log) => (log && low > 0 ? Math.sqrt(low * high) : (low + high) / 2);

  // -- what is at which place ------------------------------------------------------------------------------------------

  // Positions of the panels in a width: maps beside each other where there is room, all else one below the other.
  function laidOut(figure, width, top) {
    if (figure.axes.length === 1) {
      let y = top;
      const unit = Math.min(Math.max(0.11 * width, 56), 84);
      const places = figure.panels.map((panel, number) => {
        const last = number === figure.panels.length - 1;
        const height = unit * panel.height + (last ? 46 : 10);
        const place = { panel, x: 0, y, width, height, last };
        y += height;
        return place;
      });
      return { places, height: y };
    }
    const small = figure.panels.filter((panel) => !panel.wide), wide = figure.panels.filter((panel) => panel.wide);
    if (width < 500 || !small.length) {
      const height = Math.min(0.8 * width, 400);
      const places = [...wide, ...small].map((panel, i) => ({ panel, x: 0, y: top + i * height, width, height, last: true }));
      return { places, height: top + places.length * height };
    }
    const part = Math.round(0.4 * width), height = Math.round(Math.min(0.56 * width, 500)), half = height / small.length;
    const places = small.map((panel, i) => ({ panel, x: 0, y: top + i * half, width: part, height: half, last: true }));
    places.push(...wide.map((panel) => ({ panel, x: part, y: top, width: width - part, height, last: true })));
    return { places, height: top + height };
  }

  // -- title and legend ------------------------------------------------------------------------------------------------

  function broken(text, letters) {
    const lines = [""];
    for (const word of text.split(" ")) {
      if (lines.at(-1) && lines.at(-1).length + word.length + 1 > letters) lines.push(word);
      else lines[lines.length - 1] += (lines.at(-1) ? " " : "") + word;
    }
    return lines.filter((line) => line);
  }

  function headOf(figure, width) {
    const svg = d3.create("svg").attr("width", width).attr("class", "head");
    const letters = Math.max(width / 7.6, 12);
    let y = 0;
    for (const [words, style] of [[figure.title, "title"], [figure.label, "label"]]) {
      for (const line of broken(words, letters)) {
        y += style === "title" ? 18 : 15;
        svg.append("text").attr("x", 2).attr("y", y).attr("fill", variable(style === "title" ? "ink" : "faint"))
          .attr("font-weight", style === "title" ? 600 : 400).attr("font-size", style === "title" ? 14 : 12).text(line);
      }
    }
    const entries = [
      ...figure.panels.flatMap((panel) => panel.layers ?? []).filter((layer) => layer.label),
      ...figure.spans.filter((span) => span.label && span.kind !== "mask").map((span) => ({ ...span, colour: "mark", mark: span.kind })),
    ];
    let x = 2;
    y += 20;
    for (const entry of entries) {
      const long = 30 + 6.7 * entry.label.length;
      if (x > 2 && x + long > width) { x = 2; y += 17; }
      keyed(svg.append("g").attr("transform", `translate(${x},${y - 4})`), entry);
      svg.append("text").attr("x", x + 26).attr("y", y).attr("font-size", 12).attr("fill", variable("ink")).text(entry.label);
      x += long + 14;
    }
    const height = entries.length ? y + 8 : y - 10;
    svg.attr("height", height).attr("viewBox", `0 0 ${width} ${height}`);
    return { node: svg.node(), height };
  }

  function keyed(group, { mark, colour }) {
    const line = () => group.append("line").attr("x2", 20).attr("stroke", variable(colour)).attr("stroke-width", 2);
    if (mark === "points") {
      group.append("line").attr("x1", 10).attr("x2", 10).attr("y1", -6).attr("y2", 6).attr("stroke", variable(colour));
      group.append("circle").attr("cx", 10).attr("r", 3.2).attr("fill", variable(colour));
    } else if (mark === "band" || mark === "region") {
      group.append("rect").attr("width", 20).attr("y", -5).attr("height", 10).attr("fill", variable(colour)).attr("fill-opacity", 0.25);
    } else if (mark === "line") line().attr("stroke-dasharray", "5 3");
    else line();
  }

  // -- panels over one axis --------------------------------------------------------------------------------------------

  function rangeOf(figure, panel, state, first) {
    const log = first && state.log !== null ? state.log : panel.log;
    if (!first || (state.log === null && !state.x)) return { low: panel.low, high: panel.high, log };
    const [from, to] = state.x ?? shownOf(figure.axes[0]);
    const seen = figure.bins.filter((bin) => bin.x2 > from && bin.x1 < to);
    const values = panel.layers.flatMap((layer) => [layer.y, layer.low, layer.high].filter((name) => name)
      .flatMap((name) => seen.map((bin) => figure.value(name, bin)))).filter(known);
    const above = values.filter((value) => value > 0);
    const most = d3.max(above) ?? 1;
    if (log && above.length) return { low: Math.max((d3.min(above) ?? 1) / 2, most / 1e7), high: most * 1.8, log };
    return { low: Math.min(1.15 * (d3.min(values) ?? 0), 0), high: 1.15 * most, log: false };
  }

  function marksOf(figure, panel, range, axis, state) {
    const at = (name, bin) => figure.value(name, bin);
    // What has no place on a logarithmic axis is at its lower end.
    const inside = (value) => (known(value) && range.log ? Math.max(value, range.low) : value);
    const corners = (values) => figure.bins.flatMap((bin) => [bin.x1, bin.x2].map((x) => ({ x, ...values(bin) })));
    const centre = (bin) => middle(bin.x1, bin.x2, axis.log);
    const marks = [];
    for (const half of panel.bands) {
      marks.push(Plot.rect([0], { x1: axis.edges[0], x2: axis.edges.at(-1), y1: -half, y2: half, fill: variable("grid"), fillOpacity: 0.6, clip: true }));
    }
    for (const layer of panel.layers) {
      const colour = variable(layer.colour);
      if (layer.mark === "band") {
        const points = corners((bin) => ({ y1: inside(at(layer.low, bin)), y2: inside(at(layer.high, bin)) }));
        marks.push(Plot.areaY(points.map((one) => (known(one.y1) && known(one.y2) ? one : { x: one.x, y1: NaN, y2: NaN })),
          { x: "x", y1: "y1", y2: "y2", fill: colour, fillOpacity: 0.22, clip: true }));
      } else if (layer.mark === "steps") {
        const points = corners((bin) => ({ y: known(at(layer.y, bin)) ? inside(at(layer.y, bin)) : NaN }));
        marks.push(Plot.line(points, { x: "x", y: "y", stroke: colour, strokeWidth: 1.6, clip: true }));
      } else if (layer.mark === "curve") {
        const points = figure.bins.map((bin) => ({ x: centre(bin), y: known(at(layer.y, bin)) ? inside(at(layer.y, bin)) : NaN }));
        marks.push(Plot.line(points, { x: "x", y: "y", stroke: colour, strokeWidth: 1.8, clip: true }));
      } else if (layer.mark === "bars") {
        const bars = figure.bins.filter((bin) => known(at(layer.y, bin)));
        marks.push(Plot.rect(bars, { x1: "x1", x2: "x2", y1: 0, y2: (bin) => at(layer.y, bin), clip: true,
          fill: (bin) => variable(at(layer.y, bin) < 0 ? "a" : "b") }));
      } else marks.push(...pointsOf(figure, layer, range, centre, inFrame(state.x, axis)));
    }
    for (const level of panel.levels) {
      if (level > range.low && level < range.high) {
        marks.push(Plot.ruleY([level], { stroke: variable("faint"), strokeDasharray: level ? "2 3" : null }));
      }
    }
    return marks;
  }

  function pointsOf(figure, layer, range, centre, shown) {
    const colour = variable(layer.colour);
    const points = figure.bins.filter((bin) => shown(centre(bin))).map((bin) => {
      const [y, low, high] = [layer.y, layer.low, layer.high].map((name) => (name ? figure.value(name, bin) : null));
      // An interval without an upper end goes beyond the panel.
      return { x: centre(bin), y, low, high: known(low) && low > 0 && !known(high) ? range.high : high };
    });
    const floor = (value) => (range.log ? Math.max(value, range.low) : value);
    const bars = points.filter((one) => known(one.low) && known(one.high) && one.high > range.low);
    const inside = points.filter((one) => known(one.y) && one.y >= range.low && one.y <= range.high);
    const above = points.filter((one) => (known(one.y) ? one.y > range.high : known(one.low) && one.high === range.high));
    const below = points.filter((one) => known(one.y) && one.y < range.low);
    return [
      Plot.ruleX(bars, { x: "x", y1: (one) => floor(one.low), y2: "high", stroke: colour, strokeWidth: 1.3, clip: true }),
      Plot.dot(inside, { x: "x", y: "y", r: 2.8, fill: colour, clip: true }),
      Plot.dot(above, { x: "x", y: range.high, r: 3.5, symbol: "triangle", fill: colour }),
      Plot.dot(below, { x: "x", y: range.low, r: 3.5, symbol: "triangle2", rotate: 180, fill: colour }),
    ];
  }

  function spansOf(figure, axis, named_) {
    const across = (span) => ({ x1: Math.max(span.low, axis.edges[0]), x2: Math.min(span.high, axis.edges.at(-1)) });
    return figure.spans.flatMap((span) => {
      if (span.kind === "line") return [Plot.ruleX([span.low], { stroke: variable("mark"), strokeWidth: 1.5, strokeDasharray: "5 3", clip: true })];
      const fill = variable(span.kind === "mask" ? "faint" : "mark");
      const box = [Plot.rect([across(span)], { x1: "x1", x2: "x2", fill, fillOpacity: span.kind === "mask" ? 0.16 : 0.13, clip: true })];
      if (span.kind === "mask" && named_) {
        const { x1, x2 } = across(span);
        box.push(Plot.text([span.label], { x: middle(x1, x2, axis.log), frameAnchor: "bottom", dy: -4, rotate: -90, textAnchor: "start", fill: variable("ink"), fontSize: 11, clip: true }));
      }
      return box;
    });
  }

  function wordsOf(figure, bin) {
    const lines = figure.axes.map((axis, i) => `${axis.label}: ${short(i ? bin.y1 : bin.x1)} to ${short(i ? bin.y2 : bin.x2)} ${axis.unit}`);
    for (const { name, label, values } of figure.columns) {
      if (/_(low|high)$/.test(name) || !known(values[bin.place])) continue;
      const ends = ["low", "high"].map((end) => figure.byName[`${name}_${end}`]?.values[bin.place]);
      const interval = known(ends[0]) ? ` (${short(ends[0])} to ${short(ends[1]) || "\u221e"})` : "";
      lines.push(`${label}: ${short(values[bin.place])}${interval}`);
    }
    return lines.join("\n");
  }

  function panelOf(figure, place, state) {
    const { panel, width, height, last } = place;
    const [axis] = figure.axes, first = panel === figure.panels[0];
    const range = rangeOf(figure, panel, state, first);
    const centre = (bin) => middle(bin.x1, bin.x2, axis.log), shown = inFrame(state.x, axis);
    const hover = figure.bins.filter((bin) => shown(centre(bin)) && figure.columns.some((column) => known(column.values[bin.place]) && column.values[bin.place] !== 0));
    const lead = panel.layers.at(-1)?.y;
    const value = (bin) => { const y = lead ? figure.value(lead, bin) : null; return known(y) ? Math.min(Math.max(y, range.low), range.high) : range.low; };
    const moving = state.still ? [] : [
      Plot.ruleX(hover, Plot.pointerX({ maxRadius: Infinity, x: centre, stroke: variable("faint") })),
      ...(first ? [Plot.tip(hover, Plot.pointerX({ maxRadius: Infinity, x: centre, y: value, title: (bin) => wordsOf(figure, bin), fill: variable("paper"), stroke: variable("faint"), fontSize: 12, lineWidth: 40 }))] : []),
    ];
    return Plot.plot({
      width, height, marginLeft: LEFT, marginRight: RIGHT, marginTop: 6, marginBottom: last ? 40 : 6, style: { background: "none", fontSize: "12px", color: variable("ink") },
      x: { domain: state.x ?? shownOf(axis), type: axis.log ? "log" : "linear", axis: null },
      y: { domain: [range.low, range.high], type: range.log ? "log" : "linear", axis: null },
      marks: [
        ...spansOf(figure, axis, first),
        ...marksOf(figure, panel, range, axis, state),
        Plot.frame({ stroke: variable("faint") }),
        Plot.axisY({ label: panel.label, labelAnchor: "center", labelArrow: "none", labelOffset: 54, ticks: range.log ? logTicks(range) : Math.max(Math.round(height / 45), 3), color: variable("ink"),
          tickFormat: range.log ? logLabels(range, height) : ticked }),
        Plot.axisX({ label: last ? named(axis) : null, labelAnchor: "right", labelArrow: "none", labelOffset: 36, ticks: Math.max(Math.round(width / 90), 3), color: variable("ink"),
          tickFormat: last ? (axis.log ? decades : ticked) : () => "" }),
        ...moving,
      ],
    });
  }

  // 1, 2 and 5 of every decade.
  const decades = (value) => (/^[125]/.test(String(value / 10 ** Math.floor(Math.log10(value) + 1e-9))) ? ticked(value) : "");

  // Ticks of a logarithmic axis: all digits where there is room, powers of ten over many decades.
  function logTicks({ low, high }) {
    const powers = d3.range(Math.floor(Math.log10(low)), Math.ceil(Math.log10(high)) + 1);
    const every = Math.ceil(powers.length / 8);
    const digits = powers.length > 5 ? [1] : d3.range(1, 10);
    return powers.filter((power) => power % every === 0).flatMap((power) => digits.map((digit) => digit * 10 ** power))
      .filter((value) => value >= low && value <= high);
  }

  // Their labels: 1, 2 and 5 where there is room for all of them.
  function logLabels({ low, high }, height) {
    const many = 45 * Math.log10(high / low) > height;
    return (value) => {
      const power = Math.floor(Math.log10(value) + 1e-9), digit = Math.round(value / 10 ** power);
      if (!(digit === 1 || (!many && (digit === 2 || digit === 5)))) return "";
      return value >= 1e5 || value < 1e-3 ? `${digit > 1 ? `${digit}\u00b7` : ""}10${[...String(power)].map((sign) => "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"[sign] ?? "\u207b").join("")}` : ticked(value);
    };
  }

  // -- maps ------------------------------------------------------------------------------------------------------------

  function classOf(map, value) {
    if (map.colours === "contents") {
      if (!(value > 0)) return null;
      const share = map.high > map.low ? Math.log(value / map.low) / Math.log(map.high / map.low) : 0;
      return `s${Math.min(Math.max(Math.floor(share * CONTENTS), 0), CONTENTS - 1)}`;
    }
    if (!known(value)) return null;
    const level = Math.min(Math.floor(Math.abs(value) / map.step), SIDES);
    return `${value < 0 ? "m" : "p"}${level}`;
  }

  function mapOf(figure, place, state) {
    const { panel, width, height } = place;
    const [x, y] = figure.axes;
    const cells = figure.bins.map((bin) => ({ ...bin, level: classOf(panel, figure.value(panel.column, bin)) })).filter((bin) => bin.level);
    const tip = { x: (bin) => middle(bin.x1, bin.x2, x.log), y: (bin) => middle(bin.y1, bin.y2, y.log), title: (bin) => wordsOf(figure, bin) };
    const across = inFrame(state.x, x), along = inFrame(state.y, y);
    const hover = cells.filter((bin) => across(tip.x(bin)) && along(tip.y(bin)));
    const regions = figure.spans.filter((span) => known(span.y_low));
    const outline = { x1: "low", x2: "high", y1: "y_low", y2: "y_high", fill: "none", clip: true };
    return Plot.plot({
      width, height, marginLeft: LEFT, marginRight: RIGHT, marginTop: 40, marginBottom: 42, style: { background: "none", fontSize: "12px", color: variable("ink") },
      x: { domain: state.x ?? shownOf(x), type: x.log ? "log" : "linear", axis: null },
      y: { domain: state.y ?? shownOf(y), type: y.log ? "log" : "linear", axis: null },
      marks: [
        Plot.rect(cells, { x1: "x1", x2: "x2", y1: "y1", y2: "y2", fill: (bin) => variable(bin.level), stroke: (bin) => variable(bin.level), strokeWidth: 0.4, clip: true }),
        Plot.rect(regions, { ...outline, stroke: variable("paper"), strokeWidth: 4.5 }),
        Plot.rect(regions, { ...outline, stroke: variable("mark"), strokeWidth: 2.2 }),
        Plot.frame({ stroke: variable("faint") }),
        Plot.axisX({ label: named(x), labelAnchor: "right", labelArrow: "none", labelOffset: 36, ticks: Math.max(Math.round(width / 90), 3), tickFormat: x.log ? decades : ticked, color: variable("ink") }),
        Plot.axisY({ label: named(y), labelAnchor: "center", labelArrow: "none", labelOffset: 54, ticks: Math.max(Math.round(height / 60), 2), tickFormat: y.log ? decades : ticked, color: variable("ink") }),
        ...(state.still ? [] : [Plot.tip(hover, Plot.pointer({ maxRadius: 80, ...tip, fill: variable("paper"), stroke: variable("faint"), fontSize: 12, lineWidth: 40 }))]),
      ],
    });
  }

  // Name and classes of colour of a map, above its frame.
  function scaleOf(svg, map, width) {
    const group = d3.select(svg).append("g").attr("font-size", 12).attr("fill", variable("ink")).attr("text-anchor", "start");
    group.append("text").attr("x", LEFT).attr("y", 12).attr("font-weight", 600).text(map.label);
    const signs = map.colours === "contents" ? d3.range(CONTENTS).map((n) => `s${n}`) : [...d3.range(SIDES, 0, -1).map((n) => `m${n}`), "p0", ...d3.range(1, SIDES + 1).map((n) => `p${n}`)];
    const box = Math.min((width - LEFT - RIGHT - 80) / signs.length, 26);
    const ends = map.colours === "contents" ? [short(map.low), short(map.high)] : [`A ${short(SIDES * map.step)}`, `B ${short(SIDES * map.step)}`];
    const text = (x, words, anchor) => group.append("text").attr("x", x).attr("y", 31).attr("font-size", 11).attr("text-anchor", anchor).text(words);
    text(LEFT + 34, ends[0], "end");
    signs.forEach((sign, n) => group.append("rect").attr("x", LEFT + 39 + n * box).attr("y", 21).attr("width", box).attr("height", 11).attr("fill", variable(sign)).attr("stroke", variable("faint")).attr("stroke-width", 0.3));
    text(LEFT + 44 + signs.length * box, ends[1], "start");
  }

  // -- the figure ------------------------------------------------------------------------------------------------------

  function drawn(figure, width, state) {
    const head = headOf(figure, width);
    const layout = laidOut(figure, width, head.height + 4);
    const nodes = layout.places.map((place) => {
      const node = figure.axes.length === 1 ? panelOf(figure, place, state) : mapOf(figure, place, state);
      if (figure.axes.length === 2) scaleOf(node, place.panel, place.width);
      return { node, place };
    });
    return { head: head.node, nodes, height: layout.height };
  }

  return { prepared, drawn, named, known, short, variable, LEFT, RIGHT };
})();
