// What prompts open to: unpacked block by block when one is opened, all blocks with rollouts when these are searched.

const BLOCK = 64;

class Corpus {
  constructor(blocks, shown) {
    this.blocks = blocks;
    this.shown = shown;
    this.opened = [];
    this.lines = null; // every rollout, once it was asked for
  }

  block(number) {
    this.opened[number] ??= unpack(this.blocks[number]);
    return this.opened[number];
  }

  async detail(i) {
    return (await this.block(Math.floor(i / BLOCK)))[i % BLOCK];
  }

  load() {
    this.loading ??= this.read();
    return this.loading;
  }

  async read() {
    const rows = this.shown.flatMap((n, i) => (n ? [i] : []));
    await Promise.all([...new Set(rows.map((i) => Math.floor(i / BLOCK)))].map((number) => this.block(number)));
    const lines = [];
    for (const i of rows) {
      (await this.detail(i)).rollouts.forEach((rollout, place) => {
        lines.push({ i, place, rollout, source: rollout[0], verdict: rollout[4], text: spoken(rollout).toLowerCase() });
      });
    }
    this.lines = lines;
  }

  // Prompt → those of its rollouts' lines that hold every word and are of this verdict and source.
  find({ words, verdict, source }) {
    const found = new Map();
    for (const line of this.lines) {
      if ((verdict && line.verdict !== verdict) || (source && line.source !== source)) continue;
      if (!words.every((word) => line.text.includes(word))) continue;
      if (found.has(line.i)) found.get(line.i).push(line);
      else found.set(line.i, [line]);
    }
    return found;
  }
}

// All that a rollout says in this page: its start and end, or its turns.
const spoken = ([, , , , , head, tail]) => (typeof head === "string" ? head : head.map(([, said]) => said).join("\n")) + tail;
