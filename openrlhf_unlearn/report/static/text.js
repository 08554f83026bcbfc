"use strict";
// Text of prompts and models: always set as text, mathematics by KaTeX where the page carries it.

const $ = (selector, root = document) => root.querySelector(selector);

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") element.className = value;
    else if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

async function unpack(base64) {
  const binary = atob(base64), bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

function number(value, digits = 3) {
  return value === null || value === undefined ? "–" : value.toFixed(digits).replace("-", "−");
}

const percent = (value) => (value >= 0.995 && value < 1 ? ">99 %" : `${Math.round(100 * value)} %`);
const count = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;
const dotOf = (group) => make("span", { class: "dot", style: `background:var(--g-${group.key})` });

const FORMULA = /\$\$([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\]|\\\(([\s\S]+?)\\\)|\$(?!\s)((?:\\[\s\S]|[^$\\\n])+?)\$(?!\d)/g;
const LONGEST_FORMULA = 2000;

// Text as [plain, formula, display] pieces; a bare \boxed{…} is a formula too.
function pieces(text) {
  const found = [];
  let end = 0;
  for (const match of text.matchAll(FORMULA)) {
    const tex = match[1] ?? match[2] ?? match[3] ?? match[4];
    if (match[4] !== undefined && /\s$/.test(tex)) continue;
    found.push(...boxes(text.slice(end, match.index)), { tex, raw: match[0], display: (match[1] ?? match[2]) !== undefined });
    end = match.index + match[0].length;
  }
  return [...found, ...boxes(text.slice(end))];
}

function boxes(text) {
  const found = [];
  let end = 0;
  for (const match of text.matchAll(/\\boxed\s*\{/g)) {
    if (match.index < end) continue;
    let depth = 1, i = match.index + match[0].length;
    for (; i < text.length && depth; i++) {
      if (text[i] === "\\") i++;
      else depth += (text[i] === "{") - (text[i] === "}");
    }
    if (depth) break;
    const raw = text.slice(match.index, i);
    found.push({ plain: text.slice(end, match.index) }, { tex: raw, raw, display: false });
    end = i;
  }
  return [...found, { plain: text.slice(end) }];
}

function typeset(text) {
  const parts = document.createDocumentFragment();
  if (typeof katex === "undefined" || text.length > 60000) {
    parts.append(text);
    return parts;
  }
  for (const piece of pieces(text)) {
    if (piece.plain !== undefined) parts.append(piece.plain);
    else parts.append(formula(piece));
  }
  return parts;
}

// What KaTeX cannot read, and links, stay as they were written.
function formula({ tex, raw, display }) {
  const span = make("span");
  try {
    if (tex.length > LONGEST_FORMULA || /\\(?:href|url|includegraphics|html)/.test(tex)) throw new Error("as text");
    katex.render(tex, span, { displayMode: display, trust: false, strict: "ignore", maxExpand: 200, maxSize: 20 });
  } catch {
    span.textContent = raw;
  }
  return span;
}

// Words as a search box holds them: apart by space, together in quotes; in small letters.
function terms(text) {
  const found = text.toLowerCase().matchAll(/"([^"]+)"|\S+/g);
  return [...new Set([...found].map((match) => match[1] ?? match[0]))];
}

// Every occurrence of the words below `root`, marked; formulas stay as they are.
function highlight(root, words) {
  if (!words.length) return root;
  const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).sort((a, b) => b.length - a.length);
  const pattern = new RegExp(escaped.join("|"), "giu");
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT), nodes = [];
  while (walker.nextNode()) if (!walker.currentNode.parentElement?.closest(".katex")) nodes.push(walker.currentNode);
  for (const node of nodes) {
    const parts = [];
    let end = 0;
    for (const match of node.data.matchAll(pattern)) {
      parts.push(node.data.slice(end, match.index), make("mark", {}, match[0]));
      end = match.index + match[0].length;
    }
    if (parts.length) node.replaceWith(...parts, node.data.slice(end));
  }
  return root;
}

function download(name, value) {
  const url = URL.createObjectURL(new Blob([JSON.stringify(value, null, 2) + "\n"], { type: "application/json" }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
