// The table of grades. No framework, nothing is fetched; what students wrote becomes text nodes, never markup.
//
// The page holds two blocks of JSON: the rows, and the marks, which a saved page has within it. Every mark knows when
// it was given, so that of two sources the newer one counts, whichever was read first.

// ---- Marks --------------------------------------------------------------------------------------------------------

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

// ---- CSV ----------------------------------------------------------------------------------------------------------

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

// ---- Rows ---------------------------------------------------------------------------------------------------------

/** A text as it is searched for. */
export const folded = (text) => text.toLowerCase().replaceAll("ё", "е");

/** The order of two values, texts as people sort them; what is not there ("" or null) comes last in both directions. */
export function compare(a, b, direction, collator) {
  const [noA, noB] = [a, b].map((value) => value === "" || value === null);
  if (noA || noB) return noA - noB;
  return direction * (typeof a === "number" ? a - b : collator.compare(a, b));
}

/** `{name}` in a text replaced by its value. */
export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

// ---- The page -----------------------------------------------------------------------------------------------------

/** An element; strings among the children become text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** What a student wrote: its direction does not reach beyond it. */
const written = (text) => make("bdi", {}, text);

/** A list of whole lines, or nothing. */
const list = (name, items) => (items.length > 0 ? [make("ul", { class: name }, ...items)] : []);

export function openBook(pristine = document.documentElement.cloneNode(true), revealed = null) {
  const block = (id) => JSON.parse(document.getElementById(id).textContent);
  const data = block("labkit-rows");
  const { words, language, own, variants, kinds, checks, book, rows } = data;
  const hidden = data.anonymous && revealed === null; // names, and whatever leads to them
  if (hidden) for (const row of rows) row.group = "";
  const carried = revealed ?? block("labkit-marks");
  const marks = readMarks(carried);
  const say = (key, values = {}) => fill(words[key], values);
  const collator = new Intl.Collator(language, { numeric: true });
  const number = new Intl.NumberFormat(language, { minimumFractionDigits: 3, maximumFractionDigits: 3 });
  const iouOf = (value) => number.format(Math.floor(value * 1000 + 1e-9) / 1000);
  const byFile = new Map(rows.map((row, n) => [row.file, n]));
  const entryOf = (row) => marks.get(keyOf(row)) ?? { mark: "", comment: "", at: 0 };
  const baseOf = (row) => row.file.split("/").at(-1);
  const ownName = (row) => row.name || row.student || (row.problem ? baseOf(row) : say("no_name"));
  const nameOf = (row) => (hidden ? say("work", { number: byFile.get(row.file) + 1 }) : ownName(row));
  const local = (mark) => (language === "ru" ? mark.replace(".", ",") : mark);
  const refused = new Set(); // rows whose field holds what is no mark
  let saved = Number(carried.saved) || 0; // when the marks were last written to a file
  let kept = true; // whether the browser keeps them

  // Columns: what is sorted by, and which direction comes first
  const columns = {
    student: { of: nameOf, first: 1 },
    group: { of: (row) => row.group, first: 1 },
    variant: { of: (row) => row.variant, first: 1 },
    date: { of: (row) => row.date, first: 1 },
    checks: { of: (row) => (row.problem ? null : row.crosses), first: -1 },
    iou: { of: (row) => row.iou, first: 1 },
    remarks: { of: (row) => row.remarks.length, first: -1 },
    photos: { of: (row) => (row.problem ? null : row.photos.length), first: 1 },
    mark: { of: (row) => (entryOf(row).mark === "" ? null : Number(entryOf(row).mark)), first: 1 },
    comment: { of: (row) => entryOf(row).comment, first: 1 },
  };
  for (const row of rows) {
    row.crosses = row.checks.filter((check) => !check.ok).length;
    const told = row.remarks.flatMap((remark) => [kinds[remark.kind], remark.text]);
    const names = hidden ? [] : [row.name, row.id, row.student, row.group, row.file];
    row.text = folded([...names, row.variant_title, ...told].join("\n"));
  }

  // ---- Parts of a row ----

  const tick = (ok, title) =>
    make("span", { class: ok ? "tick" : "cross", "aria-hidden": "true", title }, ok ? "✓" : "✗");

  function checksOf(row) {
    const passed = say("passed_of", { passed: row.checks.length - row.crosses, count: row.checks.length });
    const signs = row.checks.map((check) => tick(check.ok, `${checks[check.name]}: ${check.reason}`));
    const failed = row.checks.filter((check) => !check.ok).map((check) => make("li", {}, checks[check.name]));
    return [make("div", { class: "signs", role: "img", "aria-label": passed }, ...signs), ...list("failed", failed)];
  }

  function reference(file) {
    const place = byFile.get(file);
    if (place === undefined) return written(file);
    const link = make("a", { href: `#row-${place}`, title: hidden ? null : file }, written(nameOf(rows[place])));
    link.addEventListener("click", () => {
      if (lines[place].hidden) clearFilters();
    });
    return link;
  }

  function remarkOf({ kind, text, others }, most = Infinity) {
    const links = others.slice(0, most).flatMap((file, n) => [n > 0 ? ", " : " → ", reference(file)]);
    if (others.length > most) links.push(` ${say("more", { count: others.length - most })}`);
    const badge = make("span", { class: `badge ${kind}` }, kinds[kind]);
    if (hidden && (others.length > 0 || kind === "person")) return make("li", {}, badge, ...links);
    return make("li", {}, badge, " ", make("span", { class: "told", title: text }, text), ...links);
  }

  function picture(photo) {
    return make("img", { src: photo.thumbnail, alt: "", decoding: "async", title: photo.name });
  }

  function iouPart(value) {
    if (value === null) return [];
    if (value >= own) return [iouOf(value)];
    return [make("strong", { class: "low" }, `▼ ${iouOf(value)}`), make("span", { class: "unseen" }, `, ${lowWords}`)];
  }
  const lowWords = say("iou_low", { least: iouOf(own) });

  /** A link to a file of a student's: it is opened in a frame without an origin, and reaches nothing of this page. */
  const opens = (link, title) => ({
    class: "source",
    href: `open.html#${link}`,
    target: "_blank",
    rel: "noopener noreferrer",
    title,
  });

  function fileOf(row) {
    if (hidden) return "";
    if (row.problem) return make("span", { class: "source whole" }, written(row.file));
    const name = written(baseOf(row));
    if (row.link === null) return make("span", { class: "source", title: row.file }, name);
    const about = `${row.file}\n${say("hint")}`;
    return make("a", opens(row.link, about), make("span", { class: "unseen" }, `${say("open")}: `), name);
  }

  function photoOf(photo) {
    const found = photo.found === null ? say("no_result") : say(photo.found ? "found" : "not_found");
    const iou = photo.iou === null ? [] : [make("span", { class: "number" }, "IoU ", ...iouPart(photo.iou))];
    const facts = make("span", { class: "facts" }, make("span", {}, tick(photo.found === true), ` ${found}`), ...iou);
    const image = photo.thumbnail ? picture(photo) : make("span", { class: "blank", "aria-hidden": "true" });
    return make("figure", {}, image, make("figcaption", {}, written(photo.name), facts));
  }

  function besideOf([file, why, link = null]) {
    const name = link === null ? written(file) : make("a", opens(link, file), written(file));
    return make("li", {}, name, why ? ` — ${why}` : "");
  }

  /** What a student wrote, without the student's own name, in whatever case, while names are hidden. */
  function unnamed(row, text) {
    const names = (hidden && `${row.name} ${row.student}`.match(/\p{L}{3,}/gu)) || [];
    const stems = names.map((name) => name.slice(0, Math.max(3, name.length - 1)));
    return stems.length > 0 ? text.replace(new RegExp(`(?<!\\p{L})(${stems.join("|")})\\p{L}*`, "giu"), "…") : text;
  }

  function detailsOf(row) {
    const part = (name, ...children) => make("section", { class: name }, make("h2", {}, say(name)), ...children);
    const check = ({ name, ok, reason }) =>
      make(
        "li",
        {},
        tick(ok),
        make("span", { class: "unseen" }, say(ok ? "passed" : "failed")),
        " ",
        make("b", {}, checks[name]),
        ` — ${reason}`,
      );
    const answered = row.answers.flatMap(([question, answer]) => [
      make("dt", { dir: "auto" }, question),
      make("dd", { dir: "auto" }, unnamed(row, answer) || "—"),
    ]);
    const weights = row.weights ? [make("br"), `${say("weights")}: `, written(row.weights)] : [];
    const digest = row.sha256 ? [make("br"), make("code", {}, `sha256 ${row.sha256}`)] : [];
    const left = [part("file", make("p", {}, written(hidden ? nameOf(row) : row.file), ...weights, ...digest))];
    if (row.beside.length > 0 && !hidden) left.push(part("others", ...list("lines", row.beside.map(besideOf))));
    if (row.reckoned) left.push(part("suggestion", make("p", {}, `${local(row.suggestion)}: ${row.reckoned}`)));
    if (row.checks.length > 0) left.unshift(part("checks", ...list("lines", row.checks.map(check))));
    const right = [];
    if (row.remarks.length > 0)
      right.push(
        part(
          "remarks",
          ...list(
            "lines",
            row.remarks.map((one) => remarkOf(one)),
          ),
        ),
      );
    if (answered.length > 0) right.push(part("answers", make("dl", {}, ...answered)));
    if (!row.problem)
      right.push(part("conclusions", make("p", { class: "prose", dir: "auto" }, unnamed(row, row.conclusions) || "—")));
    const whole = make("div", { class: "details" }, make("div", {}, ...left), make("div", {}, ...right));
    if (row.photos.length > 0)
      whole.append(part("photos", make("div", { class: "photos" }, ...row.photos.map(photoOf))));
    return make("td", { colspan: String(Object.keys(columns).length) }, whole);
  }

  // ---- Rows ----

  /** A row's own `tbody`: the line of the table and, when opened, the details; so both move together. */
  function lineOf(row, n) {
    const toggle = make("button", { type: "button", class: "name", "aria-expanded": "false" }, written(nameOf(row)));
    const mark = make("input", {
      inputmode: "decimal",
      autocomplete: "off",
      size: "4",
      "aria-label": say("mark_of", { student: nameOf(row) }),
    });
    const wrong = make("span", { class: "wrong", role: "status" });
    const before = row.earlier ? [row.earlier.mark && local(row.earlier.mark), row.earlier.comment] : [];
    const was = before.filter(Boolean).join(": ");
    const earlier = was ? [make("span", { class: "earlier" }, say("earlier", { mark: was }))] : [];
    const take = make("button", { type: "button", class: "take" }, say("take", { mark: local(row.suggestion) }));
    take.title = row.reckoned;
    const comment = make("textarea", { rows: "2", "aria-label": say("comment_on", { student: nameOf(row) }) });
    const cell = (name, ...children) => make("td", { class: name, "data-label": say(name) }, ...children);
    const pictures = row.photos
      .filter((photo) => photo.thumbnail)
      .slice(0, 10)
      .map(picture);
    const line = make(
      "tr",
      {},
      make("th", { scope: "row", class: "student" }, toggle, fileOf(row)),
      cell("group", ...(row.group ? [written(row.group)] : [])),
      cell(
        "variant",
        make("b", {}, String(row.variant ?? "")),
        " ",
        make("span", { class: "model" }, row.variant_title),
      ),
      cell("date", ...row.shown.split(/ (.*)/s, 2).flatMap((text) => [make("span", {}, text), " "])),
      cell("checks", ...(row.checks.length > 0 ? checksOf(row) : [])),
      cell("iou", ...iouPart(row.iou)),
      cell(
        "remarks",
        ...list(
          "lines",
          row.remarks.map((one) => remarkOf(one, 3)),
        ),
      ),
      cell(
        "photos",
        ...(row.photos.length > 0 ? [make("span", { class: "count" }, String(row.photos.length))] : []),
        make("div", { class: "strip" }, ...pictures),
      ),
      cell("mark", mark, wrong, ...(row.suggestion ? [take] : []), ...earlier),
      cell("comment", comment),
    );
    const body = make("tbody", { id: `row-${n}`, class: row.problem ? "problem" : "" }, line);
    let details = null;
    body.open = (open) => {
      toggle.setAttribute("aria-expanded", String(open));
      if (open && details === null) {
        details = make("tr", { id: `details-${n}` }, detailsOf(row));
        body.append(details);
        toggle.setAttribute("aria-controls", details.id);
      }
      if (details !== null) details.hidden = !open;
    };
    toggle.addEventListener("click", () => body.open(toggle.getAttribute("aria-expanded") !== "true"));
    const showMark = (text) => {
      const fits = readMark(text) !== null;
      wrong.textContent = fits ? "" : say("not_mark", { text });
      mark.toggleAttribute("aria-invalid", !fits);
      refused[fits ? "delete" : "add"](row);
      take.hidden = entryOf(row).mark !== "" || !fits;
    };
    body.show = () => {
      const entry = entryOf(row);
      mark.value = local(entry.mark);
      showMark(entry.mark);
      comment.value = entry.comment;
      comment.parentNode.dataset.value = entry.comment; // shown in its place on paper
    };
    const changed = () => {
      comment.parentNode.dataset.value = comment.value;
      const read = readMark(mark.value) ?? entryOf(row).mark; // what is no number is refused in sight, and loses nothing
      const whose = { who: row.who, name: ownName(row) };
      marks.set(keyOf(row), { mark: read, comment: comment.value, at: Date.now(), ...whose });
      showMark(mark.value);
      keep();
      tell();
    };
    body.accept = () => {
      if (!row.suggestion || entryOf(row).mark !== "" || mark.value !== "") return;
      mark.value = local(row.suggestion);
      changed();
    };
    take.addEventListener("click", () => body.accept());
    mark.addEventListener("input", changed);
    comment.addEventListener("input", changed);
    return body;
  }

  const lines = rows.map(lineOf);

  // ---- Sorting and filtering ----

  const heads = Object.keys(columns).map((name) => {
    const head = make("th", { scope: "col", class: name }, make("button", { type: "button" }, say(name)));
    head.firstChild.addEventListener("click", () => {
      const now = order.value === `${name} ${columns[name].first}`;
      order.value = `${name} ${now ? -columns[name].first : columns[name].first}`;
      sort();
    });
    return head;
  });
  const table = make(
    "table",
    {},
    make("caption", { class: "unseen" }, say("caption")),
    make("thead", {}, make("tr", {}, ...heads)),
  );
  const nothing = make("p", { class: "nothing" }, say("nothing"));

  function sort() {
    const [name, sign] = order.value.split(" ");
    const direction = Number(sign);
    heads.forEach((head, n) => {
      if (Object.keys(columns)[n] !== name) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
    });
    const values = name === "" ? null : rows.map(columns[name].of);
    const places = rows.map((_, n) => n);
    if (values !== null) places.sort((a, b) => compare(values[a], values[b], direction, collator) || a - b);
    table.append(...places.map((n) => lines[n]));
  }

  const option = (value, text) => make("option", { value }, text);
  const labelled = (key, control) => make("label", { class: key }, make("span", {}, say(key)), control);
  const box = (key) => {
    const control = make("input", { type: "checkbox" });
    return [control, make("label", { class: "box" }, control, " ", say(key))];
  };
  const orders = Object.entries(columns).flatMap(([name, { first }]) =>
    [first, -first].map((sign) =>
      option(`${name} ${sign}`, say(sign > 0 ? "ascending" : "descending", { column: say(name) })),
    ),
  );
  const groups = [...new Set(rows.map((row) => row.group))].filter(Boolean).sort(collator.compare);
  const order = make("select", {}, option(" 1", say("file")), ...orders);
  const search = make("input", { type: "search" });
  const variant = make(
    "select",
    {},
    option("", "—"),
    ...variants.map(([n, title]) => option(String(n), `${n} ${title}`)),
  );
  const group = make("select", {}, option("", "—"), ...groups.map((name) => option(`=${name}`, name.slice(0, 40))));
  if (rows.some((row) => !row.group)) group.append(option("=", say("no_group")));
  const [onlyCrosses, crossesBox] = box("only_crosses");
  const [onlyRemarks, remarksBox] = box("only_remarks");
  const [onlyUnmarked, unmarkedBox] = box("only_unmarked");
  const shown = make("span", { class: "shown", role: "status" });

  function wanted(row) {
    const words = folded(search.value).split(/\s+/).filter(Boolean);
    const entry = entryOf(row);
    const text = words.length > 0 ? `${row.text}\n${folded(entry.comment)}` : "";
    return (
      words.every((word) => text.includes(word)) &&
      (variant.value === "" || String(row.variant) === variant.value) &&
      (group.value === "" || `=${row.group}` === group.value) &&
      (!onlyCrosses.checked || row.crosses > 0) &&
      (!onlyRemarks.checked || row.remarks.length > 0) &&
      (!onlyUnmarked.checked || entry.mark === "")
    );
  }

  function filter() {
    let count = 0;
    rows.forEach((row, n) => {
      lines[n].hidden = !wanted(row);
      if (!lines[n].hidden) count++;
    });
    shown.textContent = say("shown", { shown: count, count: rows.length });
    nothing.hidden = count > 0;
  }

  function clearFilters() {
    for (const control of [search, variant, group]) control.value = "";
    for (const control of [onlyCrosses, onlyRemarks, onlyUnmarked]) control.checked = false;
    filter();
  }

  const button = (key, act, name = "") => {
    const made = make("button", { type: "button", class: name }, say(key));
    made.addEventListener("click", act);
    return made;
  };
  const acceptAll = () => {
    for (const line of lines) line.accept();
  };
  const openAll = (open) => {
    for (const line of lines) if (!line.hidden) line.open(open);
  };
  const filters = make(
    "div",
    { class: "bar filters" },
    labelled("search", search),
    labelled("variant", variant),
    labelled("group", group),
    labelled("order", order),
    crossesBox,
    remarksBox,
    unmarkedBox,
    button("clear", clearFilters),
    shown,
  );
  filters.addEventListener("input", (event) => (event.target === order ? sort() : filter()));

  // ---- Keeping the marks ----

  const reveal = button("reveal", () => {
    document.querySelector("main").replaceChildren();
    openBook(pristine, JSON.parse(asText()));
  });
  const message = make("p", { class: "message", role: "status" }, hidden ? say("reveal_later") : "");
  const state = make("span", { class: "state" });
  const unmarked = make("li");

  function tell() {
    const count = [...marks.values()].filter((entry) => entry.at > saved).length;
    const unsaved = count > 0 ? say("unsaved", { count }) : say("saved");
    const said = [unsaved];
    if (refused.size > 0) said.unshift(say("not_marks", { count: refused.size }));
    if (!kept && count > 0) said.push(say("not_kept"));
    state.textContent = said.join(" ");
    state.classList.toggle("unsaved", count + refused.size > 0);
    reveal.disabled = count > 0 || !rows.some((row) => entryOf(row).mark !== "");
    unmarked.textContent = say("unmarked", { count: rows.filter((row) => entryOf(row).mark === "").length });
    return count;
  }
  addEventListener("beforeunload", (event) => tell() + refused.size > 0 && event.preventDefault());

  // A browser may share what is stored among all pages that are opened from the disk, also with a student's: hence a
  // seal, by what only this page knows. A page that may not store anything still has its own export.
  const place = `labkit-grades-${book.id}`;
  const bytes = (text) => new TextEncoder().encode(text);
  const hex = (text) => Uint8Array.from(text.match(/../g), (pair) => Number.parseInt(pair, 16));
  const key = () =>
    crypto.subtle.importKey("raw", bytes(book.secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
  const asText = () => JSON.stringify({ saved, marks: Object.fromEntries(marks) });

  async function stored() {
    const [seal, text] = JSON.parse(localStorage.getItem(place) ?? "null") ?? [];
    if (typeof text !== "string" || !/^[0-9a-f]{64}$/.test(seal)) return null;
    return (await crypto.subtle.verify("HMAC", await key(), hex(seal), bytes(text))) ? JSON.parse(text) : null;
  }

  /** Stores what the page and another tab of it know; one after another, since sealing takes a moment. */
  let turn = Promise.resolve();
  function keep() {
    turn = turn.then(async () => {
      try {
        takeNewer(marks, readMarks(await stored()));
        const text = asText();
        const seal = new Uint8Array(await crypto.subtle.sign("HMAC", await key(), bytes(text)));
        const digits = Array.from(seal, (byte) => byte.toString(16).padStart(2, "0")).join("");
        localStorage.setItem(place, JSON.stringify([digits, text]));
        kept = true;
      } catch {
        kept = false;
      }
      tell();
    });
  }

  async function restore() {
    try {
      const found = await stored();
      saved = Math.max(saved, Number(found?.saved) || 0);
      const count = takeNewer(marks, readMarks(found));
      if (count > 0) message.textContent = say("restored", { count });
    } catch {
      kept = false;
    }
    for (const line of lines) line.show();
    tell();
  }

  function download(name, type, text) {
    saved = Date.now();
    const link = make("a", { href: URL.createObjectURL(new Blob([text()], { type })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    keep();
    tell();
  }

  function pageText() {
    pristine.querySelector("#labkit-marks").textContent = asText().replaceAll("<", "\\u003c");
    return `<!doctype html>\n${pristine.outerHTML}\n`;
  }

  /** A table of the data with the marks in it, as Python fills it in. */
  function csvText({ head, rows: lines, of, mark, comment, comma }, separator) {
    const cells = lines.map((line, n) => {
      if (of[n] === null) return line;
      const entry = entryOf(rows[of[n]]);
      const filled = entry.mark ? line.with(mark, comma ? local(entry.mark) : entry.mark) : line;
      return entry.comment && comment >= 0 ? filled.with(comment, guarded(entry.comment)) : filled;
    });
    return writeCsv([head, ...cells], separator);
  }

  /** The entries of a saved page or table, and how many marks in it are no numbers; null where it is neither. */
  function entriesOf(text) {
    const found = text.match(/<script type="application\/json" id="labkit-marks">(.*?)<\/script>/s);
    if (found) return [readMarks(JSON.parse(found[1])), 0];
    const [head, ...cells] = readCsv(text);
    const [mark, comment, file, sha256] = ["mark", "comment", "file"]
      .map((name) => head.indexOf(words[name]))
      .concat(head.indexOf("sha256"));
    if (Math.min(mark, file, sha256) < 0) return null;
    const entries = new Map();
    let wrong = 0;
    for (const row of cells.filter((row) => row.length > Math.max(mark, file, sha256))) {
      const read = readMark(row[mark]);
      if (read === null) wrong++;
      const entry = { mark: read ?? "", comment: bare(row[comment] ?? ""), at: Date.now() };
      entries.set(keyOf({ file: bare(row[file]), sha256: row[sha256] }), entry);
    }
    return [entries, wrong];
  }

  /** What is loaded counts, whenever it was given; what is empty in it does not. */
  async function load(file) {
    let found = null;
    try {
      found = entriesOf(decoded(await file.arrayBuffer()));
    } catch {
      // said below
    }
    if (found === null) return say("load_failed", { name: file.name });
    const known = new Set(rows.map(keyOf));
    const sameContent = (key) => rows.filter((row) => row.sha256 && key.startsWith(`${row.sha256} `)).map(keyOf);
    let [loaded, unknown] = [0, 0];
    for (const [key, entry] of found[0]) {
      if (entry.mark === "" && entry.comment === "") continue;
      const moved = known.has(key) ? [] : sameContent(key); // the file has another name or place now
      const name = moved.length === 1 ? moved[0] : key;
      const mine = marks.get(name);
      const both = { mark: entry.mark || (mine?.mark ?? ""), comment: entry.comment || (mine?.comment ?? "") };
      if (known.has(name)) loaded++;
      else unknown++;
      if (both.mark !== mine?.mark || both.comment !== mine?.comment)
        marks.set(name, { ...entry, ...both, at: Date.now() });
    }
    for (const line of lines) line.show();
    keep();
    tell();
    return say("loaded", { name: file.name, loaded, unknown, refused: found[1] });
  }

  const file = make("input", { type: "file", accept: ".html,.htm,.csv", class: "unseen" });
  file.addEventListener("change", async () => {
    message.textContent = await load(file.files[0]);
    file.value = "";
  });

  // ---- All together ----

  const count = (what) => rows.filter(what).length;
  const counted = variants.map(([n]) => [n, count((row) => row.variant === n)]).filter(([, many]) => many > 0);
  const unreadable = count((row) => row.problem);
  const summary = [
    say("reports", { count: rows.length }),
    ...counted.map(([n, many]) => say("by_variant", { variant: n, count: many })),
    ...(unreadable > 0 ? [say("unreadable", { count: unreadable })] : []),
    say("crosses", { count: count((row) => row.crosses > 0) }),
    say("with_remarks", { count: count((row) => row.remarks.length > 0) }),
  ];
  const save = make(
    "div",
    { class: "bar save" },
    button("save_page", () => download("grades.html", "text/html", pageText), "main"),
    ...(hidden ? [] : [button("save_csv", () => download("grades.csv", "text/csv", () => csvText(data.csv, ";")))]),
    ...(data.lms.system && !hidden
      ? [
          button(`save_${data.lms.system}`, () =>
            download(`grades_${data.lms.system}.csv`, "text/csv", () => csvText(data.lms, ",")),
          ),
        ]
      : []),
    ...(rows.some((row) => row.suggestion) ? [button("accept", () => acceptAll())] : []),
    ...(hidden ? [reveal] : []),
    make("label", { class: "button" }, say("load"), file),
    state,
    make(
      "span",
      { class: "pair" },
      button("expand_all", () => openAll(true)),
      button("collapse_all", () => openAll(false)),
    ),
  );
  /** What is no row: lines behind a heading that counts them. */
  function more(name, entries) {
    if (entries.length === 0) return [];
    const items = entries.map((parts) =>
      make("li", {}, ...parts.filter(Boolean).flatMap((part) => [written(part), " "])),
    );
    return [
      make(
        "details",
        { class: name },
        make("summary", {}, say(name, { count: entries.length })),
        make("ul", {}, ...items),
      ),
    ];
  }

  document
    .querySelector("main")
    .append(
      make("h1", {}, say("heading")),
      make("ul", { class: "summary" }, ...summary.map((text) => make("li", {}, text)), unmarked),
      save,
      message,
      filters,
      table,
      nothing,
      ...(hidden
        ? []
        : [...more("absent", data.absent), ...more("orphans", data.orphans), ...more("beside", data.beside)]),
      make("p", { class: "hint" }, say("iou_legend")),
      make("p", { class: "hint" }, say("hint")),
    );
  sort();
  filter();
  return restore();
}
