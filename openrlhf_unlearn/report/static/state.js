// The page's state. What is shown stands in the address (#q=words&hide=easy&prompt=ID), so that a link shows the same;
// what was decided stays in this browser. A hash without "=" is a place in the page.

const address = {
  said: new Map(),
  waiting: 0,

  read() {
    this.said = new Map();
    for (const part of location.hash.slice(1).split("&")) {
      const at = part.indexOf("=");
      if (at > 0) this.said.set(part.slice(0, at), decoded(part.slice(at + 1)));
    }
  },

  isPlace: () => location.hash.length > 1 && !location.hash.includes("="),

  // The address with some of its words changed; an empty value leaves a word out.
  link(changes) {
    const said = new Map(this.said);
    for (const [name, value] of Object.entries(changes)) value === "" ? said.delete(name) : said.set(name, value);
    return "#" + [...said].map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  },

  // Shown at once, or soon: a browser allows only so many changes a minute, and people type.
  change(changes, soon = false) {
    for (const [name, value] of Object.entries(changes)) value === "" ? this.said.delete(name) : this.said.set(name, value);
    clearTimeout(this.waiting);
    const show = () => history.replaceState(null, "", location.pathname + location.search + this.link({}).replace(/^#$/, ""));
    const from = location.hash; // a link that was followed meanwhile says what is to be shown
    if (soon) this.waiting = setTimeout(() => location.hash === from && show(), 200);
    else show();
  },
};

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; } // a link that was mangled on its way
}

const promptLink = (id) => address.link({ prompt: id });

// A page without storage forgets.
const storage = (which) => ({
  get: (key) => { try { return window[which].getItem(key); } catch { return null; } },
  set: (key, value) => { try { window[which].setItem(key, value); return true; } catch { return false; } },
});
const kept = storage("sessionStorage"), stored = storage("localStorage");
