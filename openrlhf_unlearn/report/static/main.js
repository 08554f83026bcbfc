// Starts the page: colours, the prompt browser, and, while training runs, loading it again.

const THEMES = ["auto", "light", "dark"]; // auto: as the system has them

function setTheme(number) {
  document.documentElement.dataset.theme = THEMES[number];
  $("#theme").textContent = `Colours: ${THEMES[number]}`;
  kept.set("theme", number);
}

function refreshEvery(seconds) {
  const button = $("#pause");
  let paused = kept.get("paused") === "true";
  const show = () => {
    button.setAttribute("aria-pressed", String(paused));
    button.textContent = paused ? "Refresh is paused" : "Pause refresh";
    kept.set("paused", paused);
  };
  button.addEventListener("click", () => { paused = !paused; show(); });
  show();
  const reading = () => $("#prompt").open || document.activeElement?.closest("#filters, #rows, #decide");
  setInterval(() => {
    if (paused || reading()) return; // never under the reader's hands
    kept.set("scroll", scrollY);
    address.change({}); // what is filtered by stands in it, and what was typed just now too
    location.reload();
  }, 1000 * seconds);
  if (kept.get("scroll") && !address.isPlace()) scrollTo({ top: Number(kept.get("scroll")), behavior: "instant" });
}

// Links to parts of the page leave the address as it is, where it says what is shown.
function keepAddress() {
  document.addEventListener("click", (event) => {
    const place = event.target.closest?.("a[href^='#']")?.getAttribute("href").slice(1);
    if (!place || place.includes("=") || !address.said.size) return;
    event.preventDefault();
    const section = document.getElementById(place);
    section.tabIndex = -1;
    section.focus({ preventScroll: true });
    section.scrollIntoView();
  });
}

async function start() {
  let theme = Number(kept.get("theme") ?? 0);
  setTheme(theme);
  $("#theme").addEventListener("click", () => setTheme((theme = (theme + 1) % THEMES.length)));
  const settings = JSON.parse($("#settings").textContent);
  if (settings.live) refreshEvery(settings.live);
  if (typeof DecompressionStream === "undefined") {
    $("#found").textContent = "This browser is too old for the table of prompts; the same numbers are in prompts.csv.";
    return;
  }
  const data = await unpack($("#table-data").textContent);
  const corpus = new Corpus(JSON.parse($("#details-data").textContent), data.shown);
  const decisions = new Decisions(settings, data.id);
  const browser = new Browser(data, settings, corpus, decisions), prompt = new Prompt(browser, settings);
  new DecisionBar(decisions, () => browser.found());
  const follow = async () => {
    if (address.isPlace()) return;
    const before = address.link({ prompt: "" });
    address.read();
    if (!browser.order || address.link({ prompt: "" }) !== before) await browser.restore();
    prompt.follow();
  };
  if (address.isPlace()) await browser.restore();
  addEventListener("hashchange", follow);
  await follow();
  keepAddress();
  linkLists(data, browser);
  document.documentElement.dataset.ready = "true";
  performance.mark("ready");
}

// Advice, failures and changes lead to their prompts, and advice to its list.
function linkLists(data, browser) {
  for (const [name, selector] of [["advice", "#by-advice"], ["failure", "#by-failure"], ["change", "#by-change"]]) {
    for (const link of document.querySelectorAll(`a[data-${name}]`)) {
      link.addEventListener("click", () => {
        $("#filters").reset();
        setTimeout(() => {
          $(selector).value = link.dataset[name];
          if (Number(link.dataset.run) > 1) $("#by-run").value = link.dataset.run;
          browser.apply();
          $("#found").focus(); // by keyboard, what was found comes next, not the controls before it
        });
      });
    }
  }
  for (const link of document.querySelectorAll("[data-list]")) {
    link.addEventListener("click", () => {
      const ids = data.id.filter((_, i) => (data.advice[i] >> Number(link.dataset.list)) & 1);
      link.href = URL.createObjectURL(new Blob([JSON.stringify(ids, null, 2)], { type: "application/json" }));
    });
  }
}

start();
