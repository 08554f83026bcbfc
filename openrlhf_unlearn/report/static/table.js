// The table of prompts: search, filters, sorting, and rows that exist only while they are in view.

const ROW = 44, MARGIN = 8;
const COLUMNS = [
  { key: "text", name: "Prompt", class: "" },
  { key: "group", name: "Group", class: "group" },
  { key: "initial", name: "Before", class: "number extra", title: "pass@1 before training" },
  { key: "final", name: "After", class: "number", title: "pass@1 after training" },
  { key: "positives", name: "Rewarded", class: "number extra", title: "correct rollouts in training" },
  { key: "cosine", name: "Cosine", class: "number extra", title: "plain mean cosine of its gradient to all others", optional: true },
  { key: "reasoning", name: "Reasoning", class: "number extra", title: "judged quality of the reasoning of its correct rollouts, 0 to 5", optional: true },
  { key: "confidence", name: "Sure", class: "number extra", title: "probability that the label is right", optional: true },
];

class Browser {
  constructor(data, settings) {
    this.data = data;
    this.settings = settings;
    this.rows = data.id.map((_, i) => i);
    this.place = new Map(data.id.map((id, i) => [id, i]));
    this.haystack = data.id.map((id, i) => `${data.text[i]}\u0000${data.label[i]}\u0000${id}`.toLowerCase());
    this.hidden = new Set();
    this.sort = { key: "final", up: true };
    this.order = this.ordered();
    this.current = 0;
    this.columns = COLUMNS.filter((c) => !c.optional || data[c.key].some((v) => v !== null));
    this.box = $("#rows");
    this.body = $("#body");
    this.drawHead();
    this.drawControls();
    this.box.addEventListener("scroll", () => requestAnimationFrame(() => this.draw()));
    this.body.addEventListener("keydown", (event) => this.onKey(event));
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("tr[data-id]");
      if (row && event.target.tagName !== "A") location.hash = promptLink(row.dataset.id);
    });
    new ResizeObserver(() => this.draw()).observe(this.box);
    this.apply();
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

  drawControls() {
    const { data, settings } = this;
    settings.groups.forEach(({ key, name }, code) => {
      if (!data.group.includes(code)) return;
      const dot = make("span", { class: "dot", style: `background:var(--g-${key})` });
      const button = make("button", { type: "button", "aria-pressed": "true", "data-code": code }, dot, name);
      button.addEventListener("click", () => {
        const shown = button.getAttribute("aria-pressed") === "true";
        button.setAttribute("aria-pressed", String(!shown));
        shown ? this.hidden.add(code) : this.hidden.delete(code);
        this.apply();
      });
      $("#by-group").append(button);
    });
    data.advice_names.forEach((name, i) => $("#by-advice").append(make("option", { value: i }, name)));
    if (data.cosine.some((v) => v !== null)) $("#by-cosine").hidden = false;
    $("#sort").addEventListener("change", (event) => this.sortBy(event.target.value, this.sort.up));
    $("#direction").addEventListener("click", () => this.sortBy(this.sort.key));
    $("#filters").addEventListener("input", (event) => event.target.id === "sort" || this.apply());
    $("#filters").addEventListener("submit", (event) => event.preventDefault());
    $("#filters").addEventListener("reset", () => {
      this.hidden.clear();
      for (const button of document.querySelectorAll("#by-group button")) button.setAttribute("aria-pressed", "true");
      setTimeout(() => this.apply());
    });
  }

  sortBy(key, up) {
    this.sort = { key, up: up ?? (key === this.sort.key ? !this.sort.up : true) };
    this.order = this.ordered();
    this.apply();
  }

  within(name) {
    const from = $(`#${name}-from`).value, to = $(`#${name}-to`).value, values = this.data[name];
    if (from === "" && to === "") return null;
    const low = from === "" ? -Infinity : Number(from), high = to === "" ? Infinity : Number(to);
    return (i) => values[i] !== null && values[i] >= low && values[i] <= high;
  }

  apply() {
    performance.mark("filter");
    const { data, haystack } = this, tests = [];
    const words = $("#search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const advice = $("#by-advice").value;
    if (this.hidden.size) tests.push((i) => !this.hidden.has(data.group[i]));
    if (advice !== "") tests.push((i) => (data.advice[i] >> Number(advice)) & 1);
    if ($("#with-rollouts").checked) tests.push((i) => data.shown[i] > 0);
    if ($("#with-failures").checked) tests.push((i) => data.failed[i] > 0);
    for (const name of ["initial", "final", "cosine"]) {
      const test = this.within(name);
      if (test) tests.push(test);
    }
    for (const word of words) tests.push((i) => haystack[i].includes(word));
    this.rows = this.order.filter((i) => tests.every((test) => test(i)));
    this.current = 0;
    this.box.scrollTop = 0;
    this.draw();
    this.describe();
    performance.measure("filter", "filter");
  }

  // All rows as the table is sorted: once for each order, so that a search only leaves rows out.
  ordered() {
    const values = this.data[this.sort.key], sign = this.sort.up ? 1 : -1;
    const compare = (x, y) => (x === null ? 1 : y === null ? -1 : x < y ? -sign : sign); // what is unknown comes last
    return this.data.id.map((_, i) => i).sort((a, b) => (values[a] === values[b] ? a - b : compare(values[a], values[b])));
  }

  describe() {
    const total = this.data.id.length, { key, up } = this.sort;
    $("#found").textContent = `${this.rows.length.toLocaleString("en")} of ${total.toLocaleString("en")} prompts`;
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

  draw() {
    const from = Math.max(0, Math.floor(this.box.scrollTop / ROW) - MARGIN);
    const to = Math.min(this.rows.length, from + Math.ceil(this.box.clientHeight / ROW) + 2 * MARGIN);
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
    link.textContent = data.text[i].replace(/\s+/g, " ").slice(0, 300).trim() || data.id[i];
    const cells = this.columns.slice(1).map((c) => make("td", { class: c.class }, this.cell(c.key, i)));
    const row = make("tr", { "aria-rowindex": at + 2 }, make("th", { scope: "row" }, link), ...cells);
    row.dataset.id = data.id[i];
    return row;
  }

  cell(key, i) {
    const value = this.data[key][i];
    if (key === "group") {
      const group = this.settings.groups[value];
      if (!group) return "–";
      const dot = make("span", { class: "dot", style: `background:var(--g-${group.key})` });
      return make("span", {}, dot, group.name);
    }
    if (key === "positives") return `${value}/${this.data.rollouts[i]}`;
    if (key === "confidence") return value === null ? "–" : percent(value);
    return number(value, 2);
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
