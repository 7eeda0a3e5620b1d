// What is written of a student's work: in its line of the table, and below it where that is opened.

import { make, span } from "../../viewer/js/page.mjs";

/** What a student wrote: its direction does not reach beyond it. */
export const written = (text) => make("bdi", {}, text);

/** A list of whole lines, or nothing. */
const list = (name, items) => items.length > 0 && make("ul", { class: name }, items);

export const baseOf = (row) => row.file.split("/").at(-1);

const tick = (ok, title = null) =>
  make("span", { class: ok ? "tick" : "cross", "aria-hidden": "true", title }, ok ? "✓" : "✗");

/** The checks of a report as signs, and the names of those that it fails. */
export function signsOf({ data, say }, { checks, crosses }) {
  if (checks.length === 0) return null;
  const passed = say("passed_of", { passed: checks.length - crosses, count: checks.length });
  const signs = checks.map(({ name, ok, reason }) => tick(ok, `${data.checks[name]}: ${reason}`));
  const failed = checks.filter(({ ok }) => !ok).map(({ name }) => make("li", {}, data.checks[name]));
  return [make("div", { class: "signs", role: "img", "aria-label": passed }, signs), list("failed", failed)];
}

/** A link to another row; where filters hide it they are cleared. */
function reference(book, file) {
  const place = book.places.get(file);
  if (place === undefined) return written(file);
  const onclick = () => book.lines[place].body.hidden && book.table.clear();
  const title = book.hidden ? null : file;
  return make("a", { href: `#row-${place}`, title, onclick }, written(book.nameOf(book.rows[place])));
}

/** Remarks as a list, each with links to the first `most` of the files that it names. */
export function remarksOf(book, row, most = Infinity) {
  const remarkOf = ({ kind, text, others }) => {
    const links = others.slice(0, most).flatMap((file, n) => [n > 0 ? ", " : " → ", reference(book, file)]);
    if (others.length > most) links.push(` ${book.say("more", { count: others.length - most })}`);
    const names = book.hidden && (others.length > 0 || kind === "person");
    const told = !names && [" ", make("span", { class: "told", title: text }, text)];
    return make("li", {}, span(`badge ${kind}`, book.data.kinds[kind]), told, links);
  };
  return list("lines", row.remarks.map(remarkOf));
}

const imageOf = ({ thumbnail, name }) => make("img", { src: thumbnail, alt: "", decoding: "async", title: name });

/** The first photos, small. */
export function stripOf({ photos }) {
  const shown = photos.filter(({ thumbnail }) => thumbnail).slice(0, 10);
  if (photos.length === 0) return null;
  return [span("count", String(photos.length)), make("div", { class: "strip" }, shown.map(imageOf))];
}

/** An IoU, marked where it is low. */
export function iouOf(book, value) {
  if (value === null) return null;
  const shown = book.rounded(value);
  if (value >= book.data.own) return shown;
  const low = book.say("iou_low", { least: book.rounded(book.data.own) });
  return [make("strong", { class: "low" }, `▼ ${shown}`), span("unseen", `, ${low}`)];
}

/** A link to a file of a student's: it is opened in a frame without an origin, and reaches nothing of this page. */
function opens(link, title, ...children) {
  const href = `open.html#${link}`;
  return make("a", { class: "source", href, target: "_blank", rel: "noopener noreferrer", title }, children);
}

/** The file of a row, which opens it. */
export function fileOf({ hidden, say }, row) {
  if (hidden) return "";
  if (row.problem) return make("span", { class: "source whole" }, written(row.file));
  const name = written(baseOf(row));
  if (row.link === null) return make("span", { class: "source", title: row.file }, name);
  return opens(row.link, `${row.file}\n${say("hint")}`, span("unseen", `${say("open")}: `), name);
}

function photoOf(book, photo) {
  const { say } = book;
  const found = photo.found === null ? say("no_result") : say(photo.found ? "found" : "not_found");
  const iou = photo.iou !== null && span("number", "IoU ", iouOf(book, photo.iou));
  const facts = span("facts", make("span", {}, tick(photo.found === true), ` ${found}`), iou);
  const image = photo.thumbnail ? imageOf(photo) : make("span", { class: "blank", "aria-hidden": "true" });
  return make("figure", {}, image, make("figcaption", {}, written(photo.name), facts));
}

function checkOf({ data, say }, { name, ok, reason }) {
  const title = make("b", {}, data.checks[name]);
  return make("li", {}, tick(ok), span("unseen", say(ok ? "passed" : "failed")), " ", title, ` — ${reason}`);
}

function besideOf({ file, why, link }) {
  const name = link === null ? written(file) : opens(link, file, written(file));
  return make("li", {}, name, why ? ` — ${why}` : "");
}

/** What a row says while names are hidden: without the student's own, in whatever case, and that of any own file. */
export function unnamed({ say }, { name, student, weights, ...row }) {
  const own = row.photos.map((photo, n) => [photo.name, say("photo", { number: n + 1 })]);
  const files = /^(embedded|official)\//.test(weights) ? own : [...own, [weights, "…"]];
  const telling = files.filter(([file]) => /\p{L}{3}/u.test(file)).sort((a, b) => b[0].length - a[0].length);
  const names = `${name} ${student}`.match(/\p{L}{3,}/gu) ?? ["\n"];
  const stems = names.map((word) => word.slice(0, Math.max(3, word.length - 1)));
  const pattern = new RegExp(`(?<!\\p{L})(${stems.join("|")})\\p{L}*`, "giu");
  const bare = (text) => telling.reduce((said, pair) => said.replaceAll(...pair), text).replace(pattern, "…");
  return {
    group: "",
    weights: bare(weights),
    checks: row.checks.map((check) => ({ ...check, reason: bare(check.reason) })),
    remarks: row.remarks.map((remark) => ({ ...remark, text: bare(remark.text) })),
    photos: row.photos.map((photo, n) => ({ ...photo, name: own[n][1] })),
    answers: row.answers.map((pair) => pair.map(bare)),
    conclusions: bare(row.conclusions),
  };
}

function factsOf({ hidden, nameOf, say }, row) {
  const weights = row.weights && [make("br"), `${say("weights")}: `, written(row.weights)];
  const digest = row.sha256 && [make("br"), make("code", {}, `sha256 ${row.sha256}`)];
  return make("p", {}, written(hidden ? nameOf(row) : row.file), weights, digest);
}

/** The cell below a line: all that is known of the work. */
export function detailsOf(book, row) {
  const { hidden, local, say } = book;
  const part = (name, content) => content && make("section", { class: name }, make("h2", {}, say(name)), content);
  const said = (text) => text || "—";
  const checks = row.checks.map((check) => checkOf(book, check));
  const photos = row.photos.map((photo) => photoOf(book, photo));
  const answers = row.answers.flatMap(([question, answer]) => [
    make("dt", { dir: "auto" }, question.replaceAll("**", "")),
    make("dd", { dir: "auto" }, said(answer)),
  ]);
  const left = [
    part("checks", list("lines", checks)),
    part("file", factsOf(book, row)),
    part("others", !hidden && list("lines", row.beside.map(besideOf))),
    part("suggestion", row.reckoned && make("p", {}, `${local(row.suggestion)}: ${row.reckoned}`)),
  ];
  const right = [
    part("remarks", remarksOf(book, row)),
    part("answers", answers.length > 0 && make("dl", {}, answers)),
    part("conclusions", !row.problem && make("p", { class: "prose", dir: "auto" }, said(row.conclusions))),
  ];
  const below = part("photos", photos.length > 0 && make("div", { class: "photos" }, photos));
  const whole = make("div", { class: "details" }, make("div", {}, left), make("div", {}, right), below);
  return make("td", { colspan: String(book.table.heads.length) }, whole);
}
