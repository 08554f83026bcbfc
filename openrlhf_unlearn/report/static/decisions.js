// What the reader decides: a mark, a note and perhaps a right label for a prompt, kept in this browser for these prompts
// (in any report of them), downloaded as the lists that training's flags take and as a file that can be read again.

class Decisions {
  constructor(settings, ids) {
    this.settings = settings;
    this.ids = ids;
    this.key = `openrlhf-unlearn decisions ${settings.key}`;
    this.made = new Map();
    this.before = null; // what an undo brings back
    this.act = null; // the field that is being typed in: all of it is one undo
    this.listeners = [];
    this.read();
    addEventListener("storage", ({ key }) => { // another page of these prompts decided something
      if (key !== this.key) return;
      this.read();
      this.before = this.act = null;
      this.tell();
    });
  }

  read() {
    try { this.made = new Map(Object.entries(JSON.parse(stored.get(this.key) ?? "{}"))); } catch { /* edited by hand */ }
  }

  of(id) {
    return this.made.get(id) ?? { decision: "", label: "", note: "" };
  }

  set(id, change) {
    const act = "decision" in change ? null : `${id} ${Object.keys(change)}`;
    if (!act || act !== this.act) this.remember(act);
    const next = { ...this.of(id), ...change };
    if (next.decision || next.note || next.label) this.made.set(id, next);
    else this.made.delete(id);
    this.changed();
  }

  setAll(ids, decision) {
    this.remember();
    for (const id of ids) {
      const next = { ...this.of(id), decision };
      if (next.decision || next.note || next.label) this.made.set(id, next);
      else this.made.delete(id);
    }
    this.changed();
  }

  remember(act = null) {
    this.before = new Map(this.made);
    this.act = act;
  }

  undo() {
    [this.made, this.before, this.act] = [this.before, null, null];
    this.changed();
  }

  forget() {
    this.remember();
    this.made = new Map();
    this.changed();
  }

  changed() {
    this.kept = stored.set(this.key, JSON.stringify(Object.fromEntries(this.made)));
    this.tell();
  }

  tell() {
    for (const listener of this.listeners) listener();
  }

  list(decision) {
    return this.ids.filter((id) => this.made.get(id)?.decision === decision);
  }

  notes() {
    return this.ids.filter((id) => this.made.get(id)?.note).length;
  }

  file() {
    const decisions = this.ids.filter((id) => this.made.has(id)).map((id) => ({ prompt_id: id, ...this.of(id) }));
    return { kind: "decisions", version: 1, runs: this.settings.runs, decisions };
  }

  // Adds a file's decisions to those that are there; returns how many were of prompts of this page.
  take(file) {
    if (file?.kind !== "decisions" || file.version !== 1 || !Array.isArray(file.decisions)) throw new Error("no decisions");
    this.remember();
    const known = new Set(this.ids);
    const taken = ({ prompt_id, decision }) => known.has(prompt_id) && (!decision || Object.hasOwn(this.settings.decisions, decision));
    const mine = file.decisions.filter(taken);
    for (const { prompt_id, decision, label, note } of mine) {
      this.made.set(prompt_id, { decision: decision ?? "", label: String(label ?? ""), note: String(note ?? "") });
    }
    this.changed();
    return mine.length;
  }
}

// The bar below the table: marks for all that was found, and what to take home.
class DecisionBar {
  constructor(decisions, found) {
    this.decisions = decisions;
    const { settings } = decisions;
    for (const [key, name] of Object.entries({ ...settings.decisions, "": "No mark" })) {
      const button = make("button", { type: "button" }, name);
      button.addEventListener("click", () => decisions.setAll(found(), key));
      $("#mark-found").append(button);
      if (!key) continue;
      const save = make("button", { type: "button", "data-save": key }, name);
      save.addEventListener("click", () => download(`${key}.json`, decisions.list(key)));
      $("#save-marked").append(save);
    }
    $("#save-found").addEventListener("click", () => download("found.json", found()));
    $("#save-decisions").addEventListener("click", () => download("decisions.json", decisions.file()));
    $("#undo").addEventListener("click", () => decisions.undo());
    $("#forget").addEventListener("click", () => decisions.forget());
    $("#load-decisions").addEventListener("change", (event) => this.load(event.target));
    decisions.listeners.push(() => this.draw());
    this.draw();
  }

  draw() {
    const { decisions } = this, { settings } = decisions;
    const parts = Object.entries(settings.decisions).map(([key, name]) => {
      const n = decisions.list(key).length;
      const button = $(`[data-save="${key}"]`);
      button.disabled = !n;
      button.textContent = `${name} (${n.toLocaleString("en")})`;
      return `${n.toLocaleString("en")} ${name.toLowerCase()}`;
    });
    parts.push(count(decisions.notes(), "note"));
    const lost = decisions.made.size && decisions.kept === false;
    $("#decided").textContent = decisions.made.size
      ? `Decided: ${parts.join(", ")}. ${lost ? "This browser keeps nothing: download them." : "Kept in this browser."}`
      : "Nothing is decided yet.";
    $("#save-decisions").disabled = $("#forget").disabled = !decisions.made.size;
    $("#undo").disabled = !decisions.before;
  }

  async load(input) {
    const [file] = input.files;
    if (!file) return;
    try {
      const taken = this.decisions.take(JSON.parse(await file.text()));
      $("#decided").textContent += ` Read: ${count(taken, "decision")} of prompts of this page.`;
    } catch {
      $("#decided").textContent = `${file.name} holds no decisions of this kind of page.`;
    }
    input.value = "";
  }
}
