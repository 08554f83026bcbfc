// A prompt's reward over training, as SVG.

// Reward at each visit, (step, mean reward), one line a run.
function curve(visits, runs, width) {
  visits = visits.filter((v) => v[4] !== null); // a reward that is no number
  if (!visits.length) return make("p", { class: "note" }, "No visit has a reward that is a number.");
  const svg = (tag, attributes, text) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const W = Math.max(280, Math.min(640, width)), H = 190, L = 44, R = 12, T = 10, B = 36;
  const last = Math.max(...visits.map((v) => v[1])), first = Math.min(...visits.map((v) => v[1]));
  const top = Math.max(1, ...visits.map((v) => v[4])), bottom = Math.min(0, ...visits.map((v) => v[4]));
  const x = (step) => L + ((step - first) / Math.max(1, last - first)) * (W - L - R), y = (r) => T + ((top - r) / (top - bottom)) * (H - T - B);
  const picture = svg("svg", { viewBox: `0 0 ${W} ${H}`, class: "curve", role: "img", "aria-label": `Reward at ${visits.length} visits, from ${visits[0][4]} at step ${visits[0][1]} to ${visits.at(-1)[4]} at step ${visits.at(-1)[1]}` });
  for (const value of [bottom, (bottom + top) / 2, top]) {
    picture.append(svg("line", { x1: L, x2: W - R, y1: y(value), y2: y(value), stroke: "var(--line)" }));
    picture.append(svg("text", { x: L - 8, y: y(value) + 4, "text-anchor": "end" }, Number(value.toFixed(2))));
  }
  for (const step of new Set([first, Math.round((first + last) / 2), last])) {
    picture.append(svg("text", { x: x(step), y: H - B + 16, "text-anchor": step === last && last > first ? "end" : step === first ? "start" : "middle" }, step));
  }
  picture.append(svg("text", { x: (L + W - R) / 2, y: H - 4, "text-anchor": "middle" }, "training step; mean reward of its rollouts"));
  for (let run = 0; run < runs; run++) {
    const mine = visits.filter((v) => v[0] === run);
    const points = mine.map((v) => `${x(v[1])},${y(v[4])}`).join(" ");
    picture.append(svg("polyline", { points, fill: "none", stroke: "var(--link)", "stroke-width": 1.6, "stroke-opacity": 0.75 }));
    for (const v of mine) {
      const dot = svg("circle", { cx: x(v[1]), cy: y(v[4]), r: 3.2, fill: "var(--link)" });
      dot.append(svg("title", {}, `step ${v[1]}: ${v[3]} of ${v[2]} correct`));
      picture.append(dot);
    }
  }
  return picture;
}
