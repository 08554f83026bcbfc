// One prompt, opened: what is decided of it, its numbers, cause, curve, neighbours by gradient, and rollouts.

class Prompt {
  constructor(browser, settings) {
    this.browser = browser;
    this.settings = settings;
    this.rollouts = new Rollouts(browser, settings);
    this.open = null;
    this.dialog = $("#prompt");
    this.body = $("#prompt-body");
    $("#close").addEventListener("click", () => this.dialog.close());
    $("#previous").addEventListener("click", () => this.step(-1));
    $("#next").addEventListener("click", () => this.step(1));
    this.dialog.addEventListener("close", () => this.closed());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
  }

  // Opens what the address names, or closes.
  follow() {
    const name = address.said.get("prompt");
    if (name === undefined) return this.dialog.open && this.dialog.close();
    const i = this.browser.place.get(name);
    if (i === undefined) {
      $("#found").textContent = `No prompt here has the id ${name}.`;
      return $("#prompts").scrollIntoView();
    }
    this.show(i);
  }

  closed() {
    if (this.open === null) return;
    const at = this.browser.rows.indexOf(this.open);
    this.open = null;
    address.change({ prompt: "" });
    this.browser.draw();
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
    const { data, rows, corpus } = this.browser, at = rows.indexOf(i);
    $("#previous").disabled = at <= 0;
    $("#next").disabled = at < 0 || at === rows.length - 1;
    $("#prompt-title").textContent = `Prompt ${data.id[i]}`;
    if (!this.dialog.open) this.dialog.showModal();
    $("#prompt-title").focus();
    const detail = await corpus.detail(i);
    if (this.open !== i) return; // another was opened meanwhile
    this.draw(i, detail);
    this.dialog.scrollTop = 0;
  }

  draw(i, detail) {
    const { data, words } = this.browser;
    const question = make("div", { class: "said question", dir: "auto", tabIndex: 0, role: "region" }, typed(detail.text ?? data.text[i]));
    question.setAttribute("aria-label", "Prompt");
    if (detail.text === undefined && data.cut[i]) question.append(leftOut(data.cut[i], "prompts.parquet"));
    const parts = [highlight(question, words), this.decide(i), this.facts(i)];
    if (detail.evidence?.length) parts.push(heading("Why it was not learned"), this.evidence(detail));
    if (detail.curve.length) parts.push(heading("Reward over training"), curve(detail.curve, this.settings.runs.length, this.body.clientWidth - 32));
    if (detail.near) parts.push(...this.neighbours(detail));
    parts.push(...this.rollouts.draw(detail, i), this.share());
    this.body.replaceChildren(...parts);
  }

  decide(i) {
    const { decisions, data } = this.browser, id = data.id[i], names = this.settings.decisions;
    const made = decisions.of(id), box = make("fieldset", { class: "decide-one" }, make("legend", {}, "Your decision"));
    const buttons = Object.entries(names).map(([key, name]) => {
      const button = make("button", { type: "button", "aria-pressed": String(made.decision === key) }, name);
      button.addEventListener("click", () => {
        decisions.set(id, { decision: decisions.of(id).decision === key ? "" : key });
        show();
      });
      return [key, button];
    });
    const field = (name, tag, key) => {
      const input = make(tag, { value: made[key], maxLength: 2000 });
      input.addEventListener("input", () => decisions.set(id, { [key]: input.value }));
      return make("label", {}, name, input);
    };
    const label = field("Right label", "input", "label"), note = field("Note", "input", "note");
    const show = () => {
      const { decision } = decisions.of(id);
      for (const [key, button] of buttons) button.setAttribute("aria-pressed", String(decision === key));
      label.hidden = decision !== "label_wrong";
    };
    show();
    box.append(...buttons.map(([, button]) => button), label, note);
    return box;
  }

  facts(i) {
    const { data, filters } = this.browser, { settings } = this, group = settings.groups[data.group[i]];
    const list = make("dl", { class: "pairs" });
    const add = (name, value, more = "") => {
      if (value === null || value === undefined || value === "–") return;
      const shown = make("dd", {}, value);
      if (more) shown.append(" ", make("small", {}, more));
      list.append(make("div", {}, make("dt", {}, name), shown));
    };
    const between = (low, high) => (low === null ? "" : `(${number(low)} to ${number(high)})`);
    const sure = data.confidence[i] === null ? "" : `${percent(data.confidence[i])} sure`;
    if (group) add("Group", make("span", {}, dotOf(group), group.name), sure);
    if (data.cause?.[i]) add("Cause", filters.causeName(data.cause[i]), data.cause_probability[i] === null ? "" : percent(data.cause_probability[i]));
    add("Label", make("bdi", { class: "said" }, data.label[i] || "–"));
    add("pass@1 before", number(data.initial[i]), between(data.initial_low[i], data.initial_high[i]));
    add("pass@1 after", number(data.final[i]), between(data.final_low[i], data.final_high[i]));
    settings.compared.slice(1).forEach((name, at) => {
      const of = `difference_${at + 1}`, value = data[of]?.[i];
      if (value === null || value === undefined) return;
      const kind = settings.changes[data[`change_${at + 1}`][i]];
      add(`Change to ${name}`, `${value > 0 ? "+" : ""}${number(value)}, ${kind}`, between(data[`${of}_low`][i], data[`${of}_high`][i]));
    });
    if (data.p_below_tau[i] !== null) add(`P(after < ${settings.tau})`, number(data.p_below_tau[i]));
    if (data.p_improved[i] !== null) add(`P(after − before > ${settings.improved_by})`, number(data.p_improved[i]));
    if (data.visits[i]) {
      add("Correct in training", `${data.positives[i]} of ${data.rollouts[i]}`, count(data.visits[i], "visit"));
      add("Without an answer", String(data.no_answer[i]));
      if (data.failed[i]) add("Time-outs and errors", String(data.failed[i]));
    }
    const fails = settings.failures.filter((_, kind) => (data.failures[i] >> kind) & 1);
    if (fails.length) add("Fails by", fails.join("; ").toLowerCase());
    if (data.cosine[i] !== null) add("Mean cosine, plain", number(data.cosine[i]), `from ${count(data.n_correct[i], "correct rollout")}`);
    if (data.cosine_corrected[i] !== null) add("Mean cosine, corrected", number(data.cosine_corrected[i]), between(data.cosine_low[i], data.cosine_high[i]));
    else if (data.cosine[i] !== null) add("Mean cosine, corrected", "too few rollouts to say");
    if (data.reasoning[i] !== null) add("Reasoning, judged", `${number(data.reasoning[i], 1)} of 5`);
    return list;
  }

  evidence({ evidence }) {
    return make("ul", { class: "evidence" }, ...evidence.map((line) => make("li", { dir: "auto" }, line)));
  }

  neighbours({ near, far }) {
    const { data } = this.browser;
    const list = (title, found) => {
      const items = found.map(([row, cosine]) => {
        const group = this.settings.groups[data.group[row]];
        const dot = make("span", { class: "dot", title: group?.name ?? "", style: `background:var(--g-${group?.key})` });
        const link = make("a", { href: promptLink(data.id[row]), dir: "auto" }, data.text[row].slice(0, 120) || data.id[row]);
        return make("li", {}, dot, link, make("span", {}, number(cosine, 2)));
      });
      return make("div", {}, heading(title), make("ul", { class: "neighbours" }, ...items));
    };
    return [make("div", { class: "sides" }, list("Nearest by gradient (cosine)", near), list("Farthest by gradient (cosine)", far))];
  }

  share() {
    const field = make("input", { value: location.href, readOnly: true, "aria-label": "Link to this prompt" });
    const button = make("button", { type: "button" }, "Copy link");
    button.addEventListener("click", async () => {
      field.select();
      try {
        await navigator.clipboard.writeText(field.value);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Selected: press Ctrl+C";
      }
    });
    return make("div", { class: "share" }, field, button);
  }
}

const heading = (text) => make("h3", {}, text);
