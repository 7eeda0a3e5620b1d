// Tables as text: CSV that no spreadsheet takes for formulas, as it is written and read.

const BEGINS = `(?=['" \\t\u00a0]*[=+\\-@＝＋－＠]|[\\t\\r])`;
const FORMULA = new RegExp(`(?:^|(?<=[,;\\t\\r\\n]))${BEGINS}`, "g");
const GUARDED = new RegExp(`(?:^|(?<=[,;\\t\\r\\n]))'${BEGINS}`, "g");

/** A cell of which no spreadsheet takes any part for a formula, whatever it parts cells by. */
export const guarded = (cell) => cell.replace(FORMULA, "'");

/** What was in a cell before `guarded`. */
export const bare = (cell) => cell.replace(GUARDED, "");

/** Rows of cells as the text of a file. */
export function writeCsv(rows, separator = ";") {
  const special = (cell) => cell.includes(separator) || /["\r\n]/.test(cell);
  const quoted = (cell) => (special(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  return `\ufeff${rows.map((row) => `${row.map(quoted).join(separator)}\r\n`).join("")}`;
}

/** The rows of cells of a file, separated by what separates the most in its first line. */
export function readCsv(text) {
  const head = text.split(/\r?\n/, 1)[0];
  const separator = [";", ",", "\t"].sort((a, b) => head.split(b).length - head.split(a).length)[0];
  const rows = [];
  let [row, cell, quoted] = [[], "", false];
  for (let i = text.startsWith("\ufeff") ? 1 : 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c !== '"') cell += c;
      else if (text[i + 1] === '"') cell += text[i++];
      else quoted = false;
    } else if (c === '"' && cell === "") quoted = true;
    else if (c === separator || c === "\n") {
      row.push(c === "\n" ? cell.replace(/\r$/, "") : cell);
      cell = "";
      if (c === "\n") rows.push(row.splice(0));
    } else cell += c;
  }
  if (cell !== "" || row.length > 0) rows.push([...row, cell]);
  return rows;
}

/** The text of a file in UTF-8 or, where it is no such thing, as Excel writes it in Russia. */
export function decoded(content) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(content);
  } catch {
    return new TextDecoder("windows-1251").decode(content);
  }
}
