// The table of grades. No framework, nothing is fetched; what students wrote becomes text nodes, never markup.
//
// The page holds two blocks of JSON: the rows, and the marks, which a saved page has within it.

import { button, digits, fill, make } from "../../viewer/js/page.mjs";
import { csvText, load, pageText } from "./files.mjs";
import { Line } from "./line.mjs";
import { keyOf, readMarks, Store, takeNewer } from "./marks.mjs";
import { Table } from "./table.mjs";
import { baseOf, unnamed, written } from "./work.mjs";

const blockOf = (id) => JSON.parse(document.getElementById(id).textContent);

class Book {
  refused = new Set(); // rows whose field holds what is no mark
  kept = true; // whether the browser keeps the marks
  turn = Promise.resolve(); // of keeping them, which takes a moment
  state = make("span", { class: "state" });
  unmarked = make("li");

  /** `pristine` is the page as it was written; with the marks `revealed` names are no longer hidden. */
  constructor(pristine, revealed) {
    const data = blockOf("labkit-rows");
    const carried = revealed ?? blockOf("labkit-marks");
    const { rows } = data;
    Object.assign(this, { pristine, data, rows, hidden: data.anonymous && revealed === null });
    this.marks = readMarks(carried);
    this.saved = Number(carried.saved) || 0; // when the marks were last written to a file
    this.store = new Store(data.book);
    this.places = new Map(rows.map((row, n) => [row.file, n]));
    for (const row of rows) {
      row.crosses = row.checks.filter((check) => !check.ok).length;
      if (this.hidden) Object.assign(row, unnamed(this, row));
    }
    this.message = make("p", { class: "message", role: "status" }, this.hidden ? this.say("reveal_later") : "");
    this.reveal = button(this.say("reveal"), () => {
      openBook(pristine, JSON.parse(this.asText()));
    });
    this.table = new Table(this);
    this.lines = rows.map((row, n) => new Line(this, row, n));
    addEventListener("beforeunload", (event) => this.tell() + this.refused.size > 0 && event.preventDefault());
  }

  // ---- Words ------------------------------------------------------------------------------------------------------

  say = (key, values = {}) => fill(this.data.words[key], values);
  entryOf = (row) => this.marks.get(keyOf(row)) ?? { mark: "", comment: "", at: 0 };
  ownName = (row) => row.name || row.student || (row.problem ? baseOf(row) : this.say("no_name"));
  nameOf = (row) => (this.hidden ? this.say("work", { number: this.places.get(row.file) + 1 }) : this.ownName(row));
  local = (mark) => (this.data.language === "ru" ? mark.replace(".", ",") : mark);
  rounded = (iou) => (Math.floor(iou * 1000 + 1e-9) / 1000).toLocaleString(this.data.language, digits(3));
  asText = () => JSON.stringify({ saved: this.saved, marks: Object.fromEntries(this.marks) });

  // ---- Keeping the marks ------------------------------------------------------------------------------------------

  /** Says what is saved, and answers how many marks are not. */
  tell() {
    const { kept, marks, refused, rows, saved, say, state } = this;
    const count = [...marks.values()].filter((entry) => entry.at > saved).length;
    const empty = rows.filter((row) => this.entryOf(row).mark === "").length;
    const wrong = refused.size > 0 && say("not_marks", { count: refused.size });
    const unsaved = count > 0 ? say("unsaved", { count }) : say("saved");
    state.textContent = [wrong, unsaved, !kept && count > 0 && say("not_kept")].filter(Boolean).join(" ");
    state.classList.toggle("unsaved", count + refused.size > 0);
    this.reveal.disabled = count > 0 || empty === rows.length;
    this.unmarked.textContent = say("unmarked", { count: empty });
    return count;
  }

  /** Shows the marks as they are now. */
  show() {
    for (const line of this.lines) line.show();
    this.tell();
  }

  /** Stores what the page and another tab of it know; one after another. */
  keep() {
    this.turn = this.turn.then(async () => {
      try {
        takeNewer(this.marks, readMarks(await this.store.read()));
        await this.store.write(this.asText());
        this.kept = true;
      } catch {
        this.kept = false; // a page that may not store anything still has its own export
      }
      this.tell();
    });
  }

  async restore() {
    try {
      const found = await this.store.read();
      this.saved = Math.max(this.saved, Number(found?.saved) || 0);
      const count = takeNewer(this.marks, readMarks(found));
      if (count > 0) this.message.textContent = this.say("restored", { count });
    } catch {
      this.kept = false;
    }
    this.show();
  }

  download(name, type, text) {
    this.saved = Date.now();
    const link = make("a", { href: URL.createObjectURL(new Blob([text()], { type })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    this.keep();
    this.tell();
  }

  // ---- The page ---------------------------------------------------------------------------------------------------

  summary() {
    const { data, rows, say, unmarked } = this;
    const count = (what) => rows.filter(what).length;
    const counted = data.variants.map(([n]) => ({ variant: n, count: count((row) => row.variant === n) }));
    const unreadable = count((row) => row.problem);
    const texts = [
      say("reports", { count: rows.length }),
      ...counted.filter((one) => one.count > 0).map((one) => say("by_variant", one)),
      unreadable > 0 && say("unreadable", { count: unreadable }),
      say("crosses", { count: count((row) => row.crosses > 0) }),
      say("with_remarks", { count: count((row) => row.remarks.length > 0) }),
    ];
    const items = texts.map((text) => text && make("li", {}, text));
    return make("ul", { class: "summary" }, items, unmarked);
  }

  /** The buttons that save and load; which tables there are depends on the learning system. */
  saveBar() {
    const { data, hidden, lines, say } = this;
    const { system } = data.lms;
    const act = (key, onclick, name = "") => button(say(key), onclick, { class: name });
    const table = (key, name, of, separator) =>
      act(key, () => this.download(`${name}.csv`, "text/csv", () => csvText(this, of, separator)));
    const each = (key, change) =>
      act(key, () => {
        for (const line of lines) change(line);
      });
    const openAll = (key, open) => each(key, (line) => line.body.hidden || line.open(open));
    const onchange = async () => {
      this.message.textContent = await load(this, file.files[0]);
      file.value = "";
    };
    const file = make("input", { type: "file", accept: ".html,.htm,.csv", class: "unseen", onchange });
    const parts = [
      act("save_page", () => this.download("grades.html", "text/html", () => pageText(this)), "main"),
      !hidden && table("save_csv", "grades", data.csv, ";"),
      !hidden && system && table(`save_${system}`, `grades_${system}`, data.lms, ","),
      this.rows.some((row) => row.suggestion) && each("accept", (line) => line.accept()),
      hidden && this.reveal,
      make("label", { class: "button" }, say("load"), file),
      this.state,
      make("span", { class: "pair" }, openAll("expand_all", true), openAll("collapse_all", false)),
    ];
    return make("div", { class: "bar save" }, parts);
  }

  /** What is no row: lines behind a heading that counts them. */
  more(name, entries) {
    if (this.hidden || entries.length === 0) return null;
    const shown = (part) => part && [written(part), " "];
    const lines = entries.map((parts) => make("li", {}, parts.map(shown)));
    const heading = make("summary", {}, this.say(name, { count: entries.length }));
    return make("details", { class: name }, heading, make("ul", {}, lines));
  }

  write() {
    const { data, message, say, table } = this;
    const bars = [make("h1", {}, say("heading")), this.summary(), this.saveBar(), message, table.filters()];
    const more = ["absent", "orphans", "beside"].map((name) => this.more(name, data[name]));
    const hints = ["iou_legend", "hint"].map((name) => make("p", { class: "hint" }, say(name)));
    const parts = [...bars, table.element, table.nothing, ...more, ...hints];
    document.querySelector("main").replaceChildren(...parts.filter(Boolean));
    const begin = () => {
      table.sort();
      table.filter();
      return this.restore();
    };
    addEventListener("pageshow", begin, { once: true }); // going back, Chromium fills rows with fields of other ones
    return begin();
  }
}

export function openBook(pristine = document.documentElement.cloneNode(true), revealed = null) {
  return new Book(pristine, revealed).write();
}
