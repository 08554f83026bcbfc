// One prompt, opened: its numbers, curve, neighbours by gradient, and rollouts side by side.

const BLOCK = 64;

class Prompt {
  constructor(browser, blocks, settings) {
    this.browser = browser;
    this.blocks = blocks;
    this.settings = settings;
    this.open = null;
    this.dialog = $("#prompt");
    this.body = $("#prompt-body");
    $("#close").addEventListener("click", () => this.dialog.close());
    $("#previous").addEventListener("click", () => this.step(-1));
    $("#next").addEventListener("click", () => this.step(1));
    this.dialog.addEventListener("close", () => this.closed());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    addEventListener("hashchange", () => this.follow());
    this.follow();
  }

  follow() {
    const id = /^#prompt=(.+)$/.exec(location.hash)?.[1];
    if (id === undefined) return this.dialog.open && this.dialog.close();
    const name = this.decoded(id), i = this.browser.place.get(name);
    if (i === undefined) {
      $("#found").textContent = `No prompt here has the id ${name}.`;
      return $("#prompts").scrollIntoView();
    }
    this.show(i);
  }

  decoded(id) {
    try { return decodeURIComponent(id); } catch { return id; } // a link that was mangled on its way
  }

  closed() {
    if (this.open === null) return;
    const at = this.browser.rows.indexOf(this.open);
    this.open = null;
    history.replaceState(null, "", location.pathname + location.search);
    if (at >= 0) {
      this.browser.current = at;
      this.browser.show(at);
    }
  }

  step(by) {
    const { rows, data } = this.browser;
    const i = rows[rows.indexOf(this.open) + by];
    if (i !== undefined) location.hash = promptLink(data.id[i]);
  }

  async show(i) {
    this.open = i;
    const { data, rows } = this.browser, at = rows.indexOf(i);
    $("#previous").disabled = at <= 0;
    $("#next").disabled = at < 0 || at === rows.length - 1;
    $("#prompt-title").textContent = `Prompt ${data.id[i]}`;
    if (!this.dialog.open) this.dialog.showModal();
    $("#prompt-title").focus();
    const block = Math.floor(i / BLOCK);
    if (typeof this.blocks[block] === "string") this.blocks[block] = await unpack(this.blocks[block]);
    if (this.open !== i) return; // another was opened meanwhile
    this.draw(i, this.blocks[block][i % BLOCK]);
    this.dialog.scrollTop = 0;
  }

  draw(i, detail) {
    const { data } = this.browser;
    const question = make("div", { class: "said question", dir: "auto", tabIndex: 0, role: "region" }, typeset(detail.text ?? data.text[i]));
    question.setAttribute("aria-label", "Prompt");
    if (detail.text === undefined && data.cut[i]) question.append(leftOut(data.cut[i], "prompts.parquet"));
    const parts = [question, this.facts(i)];
    if (detail.curve.length) parts.push(heading("Reward over training"), curve(detail.curve, this.settings.runs.length, this.body.clientWidth - 32));
    if (detail.near) parts.push(...this.neighbours(detail));
    parts.push(...this.rollouts(detail), this.share(i));
    this.body.replaceChildren(...parts);
  }

  facts(i) {
    const { data } = this.browser, group = this.settings.groups[data.group[i]];
    const list = make("dl", { class: "pairs" });
    const add = (name, value, more = "") => {
      if (value === null || value === undefined || value === "–") return;
      const shown = make("dd", {}, value);
      if (more) shown.append(" ", make("small", {}, more));
      list.append(make("div", {}, make("dt", {}, name), shown));
    };
    const between = (low, high) => (low === null ? "" : `(${number(low)} to ${number(high)})`);
    const sure = data.confidence[i] === null ? "" : `${percent(data.confidence[i])} sure`;
    if (group) add("Group", make("span", {}, make("span", { class: "dot", style: `background:var(--g-${group.key})` }), group.name), sure);
    add("Label", make("bdi", { class: "said" }, data.label[i] || "–"));
    add("pass@1 before", number(data.initial[i]), between(data.initial_low[i], data.initial_high[i]));
    add("pass@1 after", number(data.final[i]), between(data.final_low[i], data.final_high[i]));
    if (data.p_below_tau[i] !== null) add(`P(after < ${this.settings.tau})`, number(data.p_below_tau[i]));
    if (data.visits[i]) {
      add("Correct in training", `${data.positives[i]} of ${data.rollouts[i]}`, count(data.visits[i], "visit"));
      add("Without an answer", String(data.no_answer[i]));
      if (data.failed[i]) add("Time-outs and errors", String(data.failed[i]));
    }
    if (data.cosine[i] !== null) add("Mean cosine, plain", number(data.cosine[i]), `from ${count(data.n_correct[i], "correct rollout")}`);
    if (data.cosine_corrected[i] !== null) add("Mean cosine, corrected", number(data.cosine_corrected[i]), between(data.cosine_low[i], data.cosine_high[i]));
    else if (data.cosine[i] !== null) add("Mean cosine, corrected", "too few rollouts to say");
    if (data.reasoning[i] !== null) add("Reasoning, judged", `${number(data.reasoning[i], 1)} of 5`);
    return list;
  }

  neighbours({ near, far }) {
    const list = (title, found) => {
      const items = found.map(([row, cosine]) => {
        const { data } = this.browser;
        const group = this.settings.groups[data.group[row]];
        const dot = make("span", { class: "dot", title: group?.name ?? "", style: `background:var(--g-${group?.key})` });
        const link = make("a", { href: promptLink(data.id[row]), dir: "auto" }, data.text[row].slice(0, 120) || data.id[row]);
        return make("li", {}, dot, link, make("span", {}, number(cosine, 2)));
      });
      return make("div", {}, heading(title), make("ul", { class: "neighbours" }, ...items));
    };
    return [make("div", { class: "sides" }, list("Nearest by gradient (cosine)", near), list("Farthest by gradient (cosine)", far))];
  }

  rollouts({ rollouts }) {
    if (!rollouts?.length) return [heading("Rollouts"), make("p", { class: "note" }, "None of this prompt's rollouts are kept in this page; look into evaluations/ and rollouts/ of the run directory.")];
    const right = rollouts.filter((r) => r[4] === "correct" || (!r[4] && r[3] > 0.5));
    const wrong = rollouts.filter((r) => !right.includes(r));
    const side = (title, some) => make("div", {}, heading(`${title} (${some.length})`), ...some.map((r) => this.rollout(r, title === "Correct")));
    return [make("div", { class: "sides" }, side("Correct", right), side("Incorrect", wrong))];
  }

  rollout([source, file, sample, reward, verdict, head, tail, cut, reason], right) {
    const text = make("div", { class: "said", dir: "auto", tabIndex: 0, role: "region" }, typeset(head));
    text.setAttribute("aria-label", `Rollout ${sample}, ${source}`);
    if (cut) text.append(leftOut(cut, file), typeset(tail));
    const about = [source, `sample ${sample}`, verdict.replace("_", " "), `reward ${reward ?? "–"}`, ...(reason ? [reason] : [])];
    const header = make("header", {}, ...about.map((word) => make("span", {}, word)));
    return make("article", { class: right ? "rollout right" : "rollout" }, header, text);
  }

  share(i) {
    const url = location.href.replace(/#.*$/, "") + promptLink(this.browser.data.id[i]);
    const field = make("input", { value: url, readOnly: true, "aria-label": "Link to this prompt" });
    const button = make("button", { type: "button" }, "Copy link");
    button.addEventListener("click", async () => {
      field.select();
      try {
        await navigator.clipboard.writeText(url);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Selected: press Ctrl+C";
      }
    });
    return make("div", { class: "share" }, field, button);
  }
}

const heading = (text) => make("h3", {}, text);
const leftOut = (characters, file) => make("span", { class: "left-out" }, `… ${characters.toLocaleString("en")} characters left out; all of it is in ${file} …`);

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
  const top = Math.max(1, ...visits.map((v) => v[4]));
  const x = (step) => L + ((step - first) / Math.max(1, last - first)) * (W - L - R), y = (r) => T + (1 - r / top) * (H - T - B);
  const picture = svg("svg", { viewBox: `0 0 ${W} ${H}`, class: "curve", role: "img", "aria-label": `Reward at ${visits.length} visits, from ${visits[0][4]} at step ${visits[0][1]} to ${visits.at(-1)[4]} at step ${visits.at(-1)[1]}` });
  for (const value of [0, top / 2, top]) {
    picture.append(svg("line", { x1: L, x2: W - R, y1: y(value), y2: y(value), stroke: "var(--line)" }));
    picture.append(svg("text", { x: L - 8, y: y(value) + 4, "text-anchor": "end" }, value));
  }
  for (const step of new Set([first, Math.round((first + last) / 2), last])) {
    picture.append(svg("text", { x: x(step), y: H - B + 16, "text-anchor": step === last && last > first ? "end" : step === first ? "start" : "middle" }, step));
  }
  picture.append(svg("text", { x: (L + W - R) / 2, y: H - 4, "text-anchor": "middle" }, "training step; reward is the share of rollouts correct"));
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
