// What narrows the table: each control of the form, by its name in the address, and what it asks of a prompt.

const CONTROLS = {
  q: "#search", in: "#search-in", advice: "#by-advice", cause: "#by-cause", failure: "#by-failure", run: "#by-run",
  change: "#by-change", verdict: "#by-verdict", step: "#by-source", mark: "#by-mark", rollouts: "#with-rollouts",
  failed: "#with-failures", "before-from": "#initial-from", "before-to": "#initial-to", "after-from": "#final-from",
  "after-to": "#final-to", "cosine-from": "#cosine-from", "cosine-to": "#cosine-to", "change-from": "#difference-from", "change-to": "#difference-to",
};

class Filters {
  constructor(data, settings, decisions) {
    this.data = data;
    this.settings = settings;
    this.decisions = decisions;
    this.hidden = new Set(); // codes of the groups that are left out
    this.haystack = data.id.map((id, i) => `${data.text[i]}\u0000${data.label[i]}\u0000${id}`.toLowerCase());
    this.drawGroups();
    this.fill("#by-advice", data.advice_names.map((name, i) => [i, name]));
    this.fill("#by-failure", settings.failures.map((name, i) => [i, name]));
    this.fill("#by-cause", [...new Set(data.cause ?? [])].filter(Boolean).sort().map((key) => [key, this.causeName(key)]));
    this.fill("#by-verdict", settings.verdicts.map((verdict) => [verdict, verdict.replace("_", " ")]));
    this.fill("#by-source", settings.sources.map((source) => [source, source]));
    this.fill("#by-change", settings.compared.length > 1 ? settings.changes.map((kind, code) => [code, kind]) : []);
    this.fill("#by-run", settings.compared.slice(2).map((name, i) => [i + 2, name]));
    if (settings.compared.length > 2) $("#by-run option").textContent = settings.compared[1];
    this.fill("#by-mark", [...Object.entries(settings.decisions), ["any", "any mark or note"], ["none", "undecided"]]);
    $("#by-difference").hidden = settings.compared.length < 2;
    $("#by-cosine").hidden = !data.cosine.some((value) => value !== null);
    for (const id of ["#search-in", "#with-rollouts"]) $(id).closest("label").hidden = !data.shown.some(Boolean);
  }

  // Options of a select, which is not there for want of any.
  fill(selector, options) {
    for (const [value, name] of options) $(selector).append(make("option", { value }, name));
    $(selector).closest("label").hidden = !options.length;
  }

  causeName(key) {
    return this.settings.causes?.[key] ?? key.replaceAll("_", " ");
  }

  drawGroups() {
    this.settings.groups.forEach((group, code) => {
      if (!this.data.group.includes(code)) return;
      const button = make("button", { type: "button", "aria-pressed": "true", "data-code": code }, dotOf(group), group.name);
      button.addEventListener("click", () => {
        this.hidden.has(code) ? this.hidden.delete(code) : this.hidden.add(code);
        this.showGroups();
        $("#filters").dispatchEvent(new Event("input"));
      });
      $("#by-group").append(button);
    });
  }

  showGroups() {
    for (const button of document.querySelectorAll("#by-group button")) {
      button.setAttribute("aria-pressed", String(!this.hidden.has(Number(button.dataset.code))));
    }
  }

  // Every control's value by its name in the address; "" where it asks for nothing.
  values() {
    const { settings } = this, values = {};
    for (const [name, selector] of Object.entries(CONTROLS)) {
      const control = $(selector);
      values[name] = control.type === "checkbox" ? (control.checked ? "1" : "") : control.value;
    }
    return { ...values, hide: [...this.hidden].map((code) => settings.groups[code].key).join(",") };
  }

  restore(said) {
    for (const [name, selector] of Object.entries(CONTROLS)) {
      const control = $(selector), value = said.get(name) ?? "";
      if (control.type === "checkbox") control.checked = value === "1";
      else control.value = value;
      if (control.selectedIndex === -1) control.value = ""; // an option of another page
    }
    const hide = (said.get("hide") ?? "").split(",");
    this.hidden = new Set(this.settings.groups.flatMap(({ key }, code) => (hide.includes(key) ? [code] : [])));
    this.showGroups();
  }

  get run() {
    return Number($("#by-run").value || 1);
  }

  // What is asked of single rollouts, or null.
  ofRollouts(values) {
    const words = values.in ? terms(values.q) : [];
    return words.length || values.verdict || values.step ? { words, verdict: values.verdict, source: values.step } : null;
  }

  // Predicates of a prompt's row; `hits`: the rollouts that are asked for, by prompt, or null.
  tests(values, hits) {
    const { data, haystack, hidden } = this, tests = [];
    const bit = (column, value) => value !== "" && tests.push((i) => (column[i] >> Number(value)) & 1);
    if (hidden.size) tests.push((i) => !hidden.has(data.group[i]));
    if (values.rollouts) tests.push((i) => data.shown[i] > 0);
    if (values.failed) tests.push((i) => data.failed[i] > 0);
    if (values.cause) tests.push((i) => data.cause[i] === values.cause);
    if (values.change) tests.push((i) => data[`change_${this.run}`][i] === Number(values.change));
    if (values.mark) tests.push(this.marked(values.mark));
    bit(data.advice, values.advice);
    bit(data.failures, values.failure);
    const ranges = { before: "initial", after: "final", cosine: "cosine", change: `difference_${this.run}` };
    for (const [name, key] of Object.entries(ranges)) {
      const test = this.within(data[key], values[`${name}-from`], values[`${name}-to`]);
      if (test) tests.push(test);
    }
    if (hits) tests.push((i) => hits.has(i));
    if (!values.in) for (const word of terms(values.q)) tests.push((i) => haystack[i].includes(word));
    return tests;
  }

  within(column, from, to) {
    if (from === "" && to === "") return null;
    const low = from === "" ? -Infinity : Number(from), high = to === "" ? Infinity : Number(to);
    return (i) => column[i] !== null && column[i] >= low && column[i] <= high;
  }

  marked(mark) {
    const { data, decisions } = this;
    if (mark === "any") return (i) => decisions.made.has(data.id[i]);
    if (mark === "none") return (i) => !decisions.made.has(data.id[i]);
    return (i) => decisions.made.get(data.id[i])?.decision === mark;
  }
}
