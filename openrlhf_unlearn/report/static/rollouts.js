// Rollouts of a prompt: right beside wrong, or one run beside another; and any two set side by side, word by word.

class Rollouts {
  constructor(browser, settings) {
    this.browser = browser;
    this.settings = settings;
    this.chosen = [];
  }

  draw(detail, i) {
    const { rollouts } = detail, { compared } = this.settings;
    this.chosen = [];
    this.beside = make("div", { class: "beside" });
    if (!rollouts?.length) {
      return [heading("Rollouts"), make("p", { class: "note" }, "None of this prompt's rollouts are kept in this page; look into evaluations/ and rollouts/ of the run directory.")];
    }
    const hits = this.browser.hits?.get(i);
    const order = rollouts.map((rollout, place) => ({ rollout, hit: hits?.some((line) => line.place === place) ?? false }));
    order.sort((a, b) => b.hit - a.hit); // what was searched for comes first
    const side = (title, keep) => {
      const some = order.filter(({ rollout }) => keep(rollout));
      return make("div", {}, heading(`${title} (${some.length})`), ...some.map((one) => this.article(one)));
    };
    const right = (rollout) => Boolean(rollout[10]), { run } = this.browser.filters;
    const sides = compared.length > 1
      ? [side(compared[0], (r) => r[9] === 0), side(compared[run], (r) => r[9] === run)]
      : [side("Correct", right), side("Incorrect", (r) => !right(r))];
    return [this.beside, make("div", { class: "sides" }, ...sides)];
  }

  article({ rollout, hit }) {
    const [source, file, sample, reward, verdict, head, tail, cut, reason, run, right] = rollout;
    const { words } = this.browser, { compared } = this.settings;
    const text = make("div", { class: "said", dir: "auto", tabIndex: 0, role: "region" }, typed(head));
    if (!spoken(rollout).trim()) text.append(make("i", {}, "Nothing was said."));
    text.setAttribute("aria-label", `Rollout ${sample}, ${source}${compared.length > 1 ? `, ${compared[run]}` : ""}`);
    if (cut) text.append(leftOut(cut, file), typeset(tail));
    highlight(text, words);
    const about = [source, `sample ${sample}`, verdict.replace("_", " "), `reward ${reward ?? "–"}`, ...(reason ? [reason] : [])];
    const header = make("header", {}, ...about.map((word) => make("span", {}, word)));
    const button = make("button", { type: "button", "aria-pressed": "false" }, "Set beside");
    button.addEventListener("click", () => this.choose(rollout, button));
    header.append(button);
    return make("article", { class: `rollout${right ? " right" : ""}${hit ? " hit" : ""}` }, header, text);
  }

  choose(rollout, button) {
    const at = this.chosen.findIndex((one) => one.rollout === rollout);
    if (at >= 0) this.chosen.splice(at, 1);
    else this.chosen.push({ rollout, button });
    if (this.chosen.length > 2) this.chosen.shift().button.setAttribute("aria-pressed", "false");
    button.setAttribute("aria-pressed", String(at < 0));
    this.beside.replaceChildren();
    if (this.chosen.length < 2) return;
    const [one, other] = this.chosen.map(({ rollout }) => rollout);
    const [left, right] = sideBySide(spoken(one), spoken(other));
    const title = heading("Side by side; what only one of them says is marked");
    title.tabIndex = -1;
    const column = (rollout, text) => make("div", {}, make("p", { class: "note" }, this.name(rollout)), text);
    this.beside.append(title, make("div", { class: "sides" }, column(one, left), column(other, right)));
    title.focus();
  }

  name([source, , sample, , verdict, , , , , run]) {
    const { compared } = this.settings;
    return `${compared.length > 1 ? `${compared[run]}, ` : ""}${source}, sample ${sample}, ${verdict.replace("_", " ")}`;
  }
}

// A text, or a conversation by its turns.
function typed(text) {
  if (typeof text === "string") return typeset(text);
  const turns = document.createDocumentFragment();
  for (const [role, said] of text) turns.append(make("div", { class: "turn" }, make("b", {}, role), make("div", {}, typeset(said))));
  return turns;
}

const MOST_WORDS = 1200; // longer texts stand side by side unmarked

// Two texts as elements, with the words marked that are in no longest common run of words.
function sideBySide(one, other) {
  const a = one.split(/(\s+)/), b = other.split(/(\s+)/);
  const [inA, inB] = a.length * b.length > MOST_WORDS ** 2 ? [null, null] : common(a, b);
  const shown = (words, both) => {
    const text = make("div", { class: "said aside", dir: "auto", tabIndex: 0, role: "region", "aria-label": "Rollout, compared" });
    words.forEach((word, i) => text.append(both && !both[i] && word.trim() ? make("mark", {}, word) : word));
    return text;
  };
  return [shown(a, inA), shown(b, inB)];
}

// Which words of each list are in their longest common subsequence.
function common(a, b) {
  const width = b.length + 1, length = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const at = i * width + j;
      length[at] = a[i] === b[j] ? length[at + width + 1] + 1 : Math.max(length[at + width], length[at + 1]);
    }
  }
  const inA = a.map(() => false), inB = b.map(() => false);
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) inA[i++] = inB[j++] = true;
    else if (length[(i + 1) * width + j] >= length[i * width + j + 1]) i++;
    else j++;
  }
  return [inA, inB];
}

const leftOut = (characters, file) => make("span", { class: "left-out" }, `… ${characters.toLocaleString("en")} characters left out; all of it is in ${file} …`);
