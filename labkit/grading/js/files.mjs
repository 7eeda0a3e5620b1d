// Marks in files: the page and the tables that are saved with them, and those that are loaded.

import { bare, decoded, guarded, readCsv, writeCsv } from "./csv.mjs";
import { keyOf, readMark, readMarks } from "./marks.mjs";

/** The whole page with the marks in it. */
export function pageText({ asText, pristine }) {
  pristine.querySelector("#labkit-marks").textContent = asText().replaceAll("<", "\\u003c");
  return `<!doctype html>\n${pristine.outerHTML}\n`;
}

/** A table of the data with the marks in it, as Python fills it in. */
export function csvText({ entryOf, local, rows }, { head, lines, of, mark, feedback, comma }, separator) {
  const cells = lines.map((line, n) => {
    if (of[n] === null) return line;
    const entry = entryOf(rows[of[n]]);
    const filled = entry.mark ? line.with(mark, comma ? local(entry.mark) : entry.mark) : line;
    return entry.comment && feedback >= 0 ? filled.with(feedback, guarded(entry.comment)) : filled;
  });
  return writeCsv([head, ...cells], separator);
}

/** The entries of a saved page or table, and how many marks in it are no numbers; null where it is neither. */
function entriesOf({ words }, text) {
  const found = text.match(/<script type="application\/json" id="labkit-marks">(.*?)<\/script>/s);
  if (found) return [readMarks(JSON.parse(found[1])), 0];
  const [head, ...cells] = readCsv(text);
  const [mark, comment, file] = ["mark", "comment", "file"].map((name) => head.indexOf(words[name]));
  const sha256 = head.indexOf("sha256");
  if (Math.min(mark, file, sha256) < 0) return null;
  const entries = new Map();
  let wrong = 0;
  for (const row of cells.filter((row) => row.length > Math.max(mark, file, sha256))) {
    const read = readMark(row[mark]);
    if (read === null) wrong++;
    const told = read === null ? `[${row[mark].trim()}] ` : ""; // what is no number is not lost
    const entry = { mark: read ?? "", comment: (told + bare(row[comment] ?? "")).trim(), at: Date.now() };
    entries.set(keyOf({ file: bare(row[file]), sha256: row[sha256] }), entry);
  }
  return [entries, wrong];
}

/** Loads a file and answers what is to be said of it. What is in it counts, whenever it was given; what is empty does not. */
export async function load(book, file) {
  const { data, marks, rows, say } = book;
  let found = null;
  try {
    found = entriesOf(data, decoded(await file.arrayBuffer()));
  } catch {
    // said below
  }
  if (found === null) return say("load_failed", { name: file.name });
  const known = new Set(rows.map(keyOf));
  const same = (row, key) => row.sha256 && key.startsWith(`${row.sha256} `);
  const ofHis = (row, who) => !who || !row.id || row.who === who; // of another student's copy no mark is taken
  const sameContent = (key, { who }) => rows.filter((row) => same(row, key) && ofHis(row, who)).map(keyOf);
  let [loaded, unknown] = [0, 0];
  for (const [key, entry] of found[0]) {
    if (entry.mark === "" && entry.comment === "") continue;
    const moved = known.has(key) ? [] : sameContent(key, entry); // the file has another name or place now
    const name = moved.length === 1 ? moved[0] : key;
    const mine = marks.get(name);
    const both = { mark: entry.mark || (mine?.mark ?? ""), comment: entry.comment || (mine?.comment ?? "") };
    if (known.has(name)) loaded++;
    else unknown++;
    if (both.mark !== mine?.mark || both.comment !== mine?.comment)
      marks.set(name, { ...entry, ...both, at: Date.now() });
  }
  book.show();
  book.keep();
  return say("loaded", { name: file.name, loaded, unknown, refused: found[1] });
}
