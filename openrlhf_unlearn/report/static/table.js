// The table of prompts: search, filters, sorting, and rows that exist only while they are in view.

const ROW = 44, MARGIN = 8;
const COLUMNS = [
  { key: "text", name: "Prompt", class: "" },
  { key: "group", name: "Group", class: "group" },
  { key: "cause", name: "Cause", class: "group cause extra", title: "why it was not learned, most probably", optional: true },
  { key: "initial", name: "Before", class: "number extra", title: "pass@1 before training" },
  { key: "final", name: "After", class: "number", title: "pass@1 after training" },
  { key: "positives", name: "Rewarded", class: "number extra", title: "correct rollouts in training" },
  { key: "cosine", name: "Cosine", class: "number extra", title: "plain mean cosine of its gradient to all others", optional: true },
  { key: "reasoning", name: "Reasoning", class: "number extra", title: "judged quality of the reasoning of its correct rollouts, 0 to 5", optional: true },
  { key: "confidence", name: "Sure", class: "number extra", title: "probability that the label is right", optional: true },
];
const CHANGE = { key: "difference", name: "Change", class: "moved", title: "pass@1 after: the other run's minus the first's" };

class Browser {
  constructor(data, settings, corpus, decisions) {
    this.data = data;
    this.settings = settings;
    this.corpus = corpus;
    this.decisions = decisions;
    this.filters = new Filters(data, settings, decisions);
    this.rows = data.id.map((_, i) => i);
    this.place = new Map(data.id.map((id, i) => [id, i]));
    this.hits = null; // prompt → lines of its rollouts that were asked for; null: none were
    this.words = []; // what is marked in texts
    this.sort = { key: "final", up: true };
    this.current = 0;
    this.columns = COLUMNS.filter((c) => !c.optional || (data[c.key] ?? []).some((v) => v !== null && v !== ""));
    if (settings.compared.length > 1) this.columns.push(CHANGE);
    this.box = $("#rows");
    this.body = $("#body");
    this.drawHead();
    this.listen();
  }

  drawHead() {
    for (const column of this.columns) {
      const button = make("button", { type: "button", title: column.title ?? "" }, column.name);
      button.addEventListener("click", () => this.sortBy(column.key));
      $("#columns").append(make("th", { scope: "col", class: column.class, "data-key": column.key }, button));
    }
    $("#browser").setAttribute("aria-colcount", this.columns.length);
    for (const column of this.columns) $("#sort").append(make("option", { value: column.key }, column.name));
  }

  listen() {
    this.box.addEventListener("scroll", () => requestAnimationFrame(() => this.redraw()));
    this.body.addEventListener("keydown", (event) => this.onKey(event));
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("tr[data-id]");
      if (row && event.target.tagName !== "A") location.hash = promptLink(row.dataset.id);
    });
    new ResizeObserver(() => this.redraw()).observe(this.box);
    $("#sort").addEventListener("change", (event) => this.sortBy(event.target.value, this.sort.up));
    $("#direction").addEventListener("click", () => this.sortBy(this.sort.key));
    $("#filters").addEventListener("input", (event) => event.target.id === "sort" || this.apply());
    $("#filters").addEventListener("submit", (event) => event.preventDefault());
    $("#filters").addEventListener("reset", () => {
      this.filters.hidden.clear();
      this.filters.showGroups();
      setTimeout(() => this.apply());
    });
    this.decisions.listeners.push(() => {
      if ($("#by-mark").value) this.apply();
      else this.draw();
    });
  }

  // What the address says: filters and order.
  restore() {
    this.filters.restore(address.said);
    const [key, way] = (address.said.get("sort") ?? "").split(" ");
    this.sort = this.columns.some((c) => c.key === key) ? { key, up: way !== "down" } : { key: "final", up: true };
    return this.apply();
  }

  sortBy(key, up) {
    this.sort = { key, up: up ?? (key === this.sort.key ? !this.sort.up : true) };
    this.apply();
  }

  async apply() {
    performance.mark("filter");
    const { data, corpus, filters } = this, values = filters.values(), asked = filters.ofRollouts(values);
    const standard = this.sort.key === "final" && this.sort.up;
    address.change({ ...values, sort: standard ? "" : `${this.sort.key} ${this.sort.up ? "up" : "down"}` }, true);
    if (asked && !corpus.lines) {
      $("#found").textContent = "Unpacking the rollouts…";
      await corpus.load();
      return this.apply(); // with what was typed meanwhile
    }
    this.hits = asked && corpus.find(asked);
    this.words = terms(values.q);
    const tests = filters.tests(values, this.hits);
    this.rows = this.ordered().filter((i) => tests.every((test) => test(i)));
    this.current = 0;
    this.box.scrollTop = 0;
    this.draw();
    this.describe();
    performance.measure("filter", "filter");
  }

  found() {
    return this.rows.map((i) => this.data.id[i]);
  }

  // All rows as the table is sorted: once for each order, so that a search only leaves rows out.
  ordered() {
    const { key, up } = this.sort, name = `${key} ${up} ${this.filters.run}`;
    if (this.order?.name === name) return this.order.rows;
    const values = this.values(key), sign = up ? 1 : -1;
    const compare = (x, y) => (x === null ? 1 : y === null ? -1 : x < y ? -sign : sign); // what is unknown comes last
    const rows = this.data.id.map((_, i) => i);
    rows.sort((a, b) => (values[a] === values[b] ? a - b : compare(values[a], values[b])));
    this.order = { name, rows };
    return rows;
  }

  values(key) {
    return this.data[key === "difference" ? `difference_${this.filters.run}` : key];
  }

  describe() {
    const total = this.data.id.length, { key, up } = this.sort;
    const rollouts = this.hits ? `, ${count(this.rows.reduce((n, i) => n + this.hits.get(i).length, 0), "rollout")}` : "";
    $("#found").textContent = `${this.rows.length.toLocaleString("en")} of ${total.toLocaleString("en")} prompts${rollouts}`;
    $("#n-found").textContent = this.rows.length.toLocaleString("en");
    for (const button of document.querySelectorAll("#mark-found button, #save-found")) button.disabled = !this.rows.length;
    for (const head of document.querySelectorAll("#columns th")) {
      const own = head.dataset.key === key, button = $("button", head);
      head.setAttribute("aria-sort", own ? (up ? "ascending" : "descending") : "none");
      button.textContent = this.columns.find((c) => c.key === head.dataset.key).name + (own ? (up ? " ↑" : " ↓") : "");
    }
    $("#sort").value = key;
    $("#direction").textContent = up ? "↑" : "↓";
    $("#direction").setAttribute("aria-label", `Sort direction: ${up ? "ascending" : "descending"}`);
    $("#browser").setAttribute("aria-rowcount", this.rows.length + 1);
  }

  // The rows in view and a few before and after them: it moves by whole margins, so that most scrolling draws nothing.
  inView() {
    const margins = (pixels) => pixels / ROW / MARGIN, { scrollTop, clientHeight } = this.box;
    const from = Math.max(0, Math.floor(margins(scrollTop)) - 1), to = Math.ceil(margins(scrollTop + clientHeight)) + 1;
    return [from * MARGIN, Math.min(this.rows.length, to * MARGIN)];
  }

  // After a scroll or a resize. A row that is replaced while a button is held down on it is never clicked.
  redraw() {
    if (String(this.inView()) !== String(this.drawn)) this.draw();
  }

  draw() {
    const [from, to] = (this.drawn = this.inView());
    const focused = this.body.contains(document.activeElement);
    const drawn = [this.space(from)];
    for (let at = from; at < to; at++) drawn.push(this.row(at));
    drawn.push(this.space(this.rows.length - to));
    this.body.replaceChildren(...drawn);
    if (focused) $(`a[data-at="${this.current}"]`, this.body)?.focus({ preventScroll: true });
  }

  space(rows) {
    return make("tr", { class: "space", "aria-hidden": "true", style: `height:${rows * ROW}px` }, make("td"));
  }

  row(at) {
    const i = this.rows[at], { data } = this;
    const link = make("a", { href: promptLink(data.id[i]), tabIndex: at === this.current ? 0 : -1, dir: "auto" });
    link.dataset.at = at;
    link.append(data.text[i].replace(/\s+/g, " ").slice(0, 300).trim() || data.id[i]);
    const cells = this.columns.slice(1).map((c) => make("td", { class: c.class }, this.cell(c.key, i)));
    const name = make("th", { scope: "row" }, ...this.mark(i), highlight(link, this.hits ? [] : this.words));
    if (this.hits && this.words.length) name.append(this.passage(i));
    const row = make("tr", { "aria-rowindex": at + 2 }, name, ...cells);
    row.dataset.id = data.id[i];
    return row;
  }

  mark(i) {
    const { decision, note } = this.decisions.of(this.data.id[i]);
    if (!decision && !note) return [];
    return [make("span", { class: "tag" }, decision ? this.settings.decisions[decision] : "Note"), " "];
  }

  // Where the first rollout that was found says the first of the words.
  passage(i) {
    const [{ text, rollout }] = this.hits.get(i), at = Math.max(0, text.indexOf(this.words[0]) - 40);
    const words = spoken(rollout).slice(at, at + 160).replace(/\s+/g, " ");
    return highlight(make("small", { class: "passage", dir: "auto" }, `${at ? "…" : ""}${words}`), this.words);
  }

  cell(key, i) {
    const value = this.values(key)[i];
    if (key === "group") {
      const group = this.settings.groups[value];
      return group ? make("span", {}, dotOf(group), group.name) : "–";
    }
    if (key === "cause") return value ? make("span", { title: this.filters.causeName(value) }, this.filters.causeName(value)) : "–";
    if (key === "difference") return this.change(value, i);
    if (key === "positives") return `${value}/${this.data.rollouts[i]}`;
    if (key === "confidence") return value === null ? "–" : percent(value);
    return number(value, 2);
  }

  change(value, i) {
    if (value === null) return "–";
    const kind = this.settings.changes[this.data[`change_${this.filters.run}`][i]];
    const sign = value > 0 ? "+" : "";
    return make("span", { class: `change ${kind}` }, `${sign}${number(value, 2)} `, make("small", {}, kind));
  }

  // Arrow keys move between rows; only one row is in the tab order.
  onKey(event) {
    const page = Math.max(1, Math.floor(this.box.clientHeight / ROW) - 1);
    const jumps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (!(event.key in jumps)) return;
    event.preventDefault();
    this.current = Math.max(0, Math.min(this.rows.length - 1, this.current + jumps[event.key]));
    this.show(this.current);
  }

  show(at) {
    const top = at * ROW, head = 40;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    if (top + ROW + head > this.box.scrollTop + this.box.clientHeight) {
      this.box.scrollTop = top + ROW + head - this.box.clientHeight;
    }
    this.draw();
    $(`a[data-at="${at}"]`, this.body)?.focus({ preventScroll: true });
  }
}
