// Starts the page: colours, the prompt browser, and, while training runs, loading it again.

const THEMES = ["auto", "light", "dark"]; // auto: as the system has them
const kept = {
  get: (key) => { try { return sessionStorage.getItem(key); } catch { return null; } },
  set: (key, value) => { try { sessionStorage.setItem(key, value); } catch { /* a page without storage forgets */ } },
};

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
  const fields = [...document.querySelectorAll("#filters input, #filters select")];
  const reading = () => $("#prompt").open || document.activeElement?.closest("#filters, #rows");
  setInterval(() => {
    if (paused || reading()) return; // never under the reader's hands
    kept.set("fields", JSON.stringify(fields.map((f) => (f.type === "checkbox" ? f.checked : f.value))));
    kept.set("scroll", scrollY);
    location.reload();
  }, 1000 * seconds);
  return () => {
    const values = JSON.parse(kept.get("fields") ?? "null");
    values?.length === fields.length && fields.forEach((f, i) => (f.type === "checkbox" ? (f.checked = values[i]) : (f.value = values[i])));
    if (kept.get("scroll") && !location.hash) scrollTo({ top: Number(kept.get("scroll")), behavior: "instant" });
  };
}

async function start() {
  let theme = Number(kept.get("theme") ?? 0);
  setTheme(theme);
  $("#theme").addEventListener("click", () => setTheme((theme = (theme + 1) % THEMES.length)));
  const settings = JSON.parse($("#settings").textContent);
  const restore = settings.live ? refreshEvery(settings.live) : null;
  if (typeof DecompressionStream === "undefined") {
    $("#found").textContent = "This browser is too old for the table of prompts; the same numbers are in prompts.csv.";
    return;
  }
  const data = await unpack($("#table-data").textContent);
  const browser = new Browser(data, settings);
  if (restore) { restore(); browser.apply(); }
  new Prompt(browser, JSON.parse($("#details-data").textContent), settings);
  for (const link of document.querySelectorAll("[data-advice]")) {
    link.addEventListener("click", () => {
      $("#filters").reset();
      setTimeout(() => { $("#by-advice").value = link.dataset.advice; browser.apply(); });
    });
  }
  for (const link of document.querySelectorAll("[data-list]")) {
    link.addEventListener("click", () => {
      const ids = data.id.filter((_, i) => (data.advice[i] >> Number(link.dataset.list)) & 1);
      link.href = URL.createObjectURL(new Blob([JSON.stringify(ids, null, 2)], { type: "application/json" }));
    });
  }
  document.documentElement.dataset.ready = "true";
  performance.mark("ready");
}

start();
