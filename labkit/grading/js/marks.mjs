// Marks: as they are read, which of two counts, and how the browser keeps them.
//
// Every mark knows when it was given, so that of two sources the newer one counts, whichever was read first.

/** A mark's key: the file, and what was in it. */
export const keyOf = (row) => `${row.sha256} ${row.file}`;

/** A mark as it is kept: "4,5" is "4.5", in whatever language; null for what is no number of 0 or more. */
export function readMark(text) {
  const mark = text.trim().replace(",", ".");
  return /^(\d{1,6}(\.\d{1,4})?)?$/.test(mark) ? mark : null;
}

/** The entries `{mark, comment, at, who, name}` of a block, by key; whatever is not one is left out. */
export function readMarks(block) {
  const found = new Map();
  const entries = block?.marks && typeof block.marks === "object" ? Object.entries(block.marks) : [];
  for (const [key, entry] of entries) {
    const { mark, comment, at, who = "", name = "" } = entry ?? {};
    const texts = [mark, comment, who, name].every((text) => typeof text === "string");
    if (texts && readMark(mark) === mark && Number.isFinite(at)) found.set(key, { mark, comment, at, who, name });
  }
  return found;
}

/** Puts the newer entries of `other` into `marks`; returns how many of them say something else. */
export function takeNewer(marks, other) {
  let changed = 0;
  for (const [key, entry] of other) {
    const mine = marks.get(key);
    if (mine && mine.at >= entry.at) continue;
    if ((mine?.mark ?? "") !== entry.mark || (mine?.comment ?? "") !== entry.comment) changed++;
    marks.set(key, entry);
  }
  return changed;
}

const bytes = (text) => new TextEncoder().encode(text);

/**
 * What the browser keeps of this page.
 *
 * A browser may share what is stored among all pages that are opened from the disk, also with a student's: hence a
 * seal, by what only this page knows.
 */
export class Store {
  constructor({ id, secret }) {
    this.place = `labkit-grades-${id}`;
    this.secret = bytes(secret);
  }

  key() {
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    return crypto.subtle.importKey("raw", this.secret, algorithm, false, ["sign", "verify"]);
  }

  /** What was kept, null where that is nothing or not this page's. */
  async read() {
    const [seal, text] = JSON.parse(localStorage.getItem(this.place) ?? "null") ?? [];
    if (typeof text !== "string" || !/^[0-9a-f]{64}$/.test(seal)) return null;
    const digits = Uint8Array.from(seal.match(/../g), (pair) => Number.parseInt(pair, 16));
    return (await crypto.subtle.verify("HMAC", await this.key(), digits, bytes(text))) ? JSON.parse(text) : null;
  }

  async write(text) {
    const seal = new Uint8Array(await crypto.subtle.sign("HMAC", await this.key(), bytes(text)));
    const digits = Array.from(seal, (byte) => byte.toString(16).padStart(2, "0")).join("");
    localStorage.setItem(this.place, JSON.stringify([digits, text]));
  }
}
