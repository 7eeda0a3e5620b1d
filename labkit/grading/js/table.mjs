// The table and what sorts and filters it.

import { button, make } from "../../viewer/js/page.mjs";

/** A text as it is searched for. */
export const folded = (text) => text.toLowerCase().replaceAll("ё", "е");

/** The order of two values, texts as people sort them; what is not there ("" or null) comes last in both directions. */
export function compare(a, b, direction, collator) {
  const [noA, noB] = [a, b].map((value) => value === "" || value === null);
  if (noA || noB) return noA - noB;
  return direction * (typeof a === "number" ? a - b : collator.compare(a, b));
}

/** What is sorted by, and which direction comes first. */
function columnsOf({ entryOf, nameOf }) {
  return {
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
}

/** All words of a row that are searched through, but for the comment. */
function wordsOf({ data, hidden }, row) {
  const told = row.remarks.flatMap((remark) => [data.kinds[remark.kind], remark.text]);
  const names = hidden ? [] : [row.name, row.id, row.student, row.group, row.file];
  return folded([...names, row.variant_title, ...told].join("\n"));
}

const option = ([value, text]) => make("option", { value }, text);
const select = (...options) => make("select", {}, options.map(option));

export class Table {
  search = make("input", { type: "search" });
  shown = make("span", { class: "shown", role: "status" });

  constructor(book) {
    const { data, rows, say } = book;
    const only = ["only_crosses", "only_remarks", "only_unmarked"];
    this.book = book;
    this.only = Object.fromEntries(only.map((key) => [key, make("input", { type: "checkbox" })]));
    this.columns = columnsOf(book);
    this.texts = rows.map((row) => wordsOf(book, row));
    this.collator = new Intl.Collator(data.language, { numeric: true });
    const groups = [...new Set(rows.map((row) => row.group))].filter(Boolean).sort(this.collator.compare);
    this.variant = select(["", "—"], ...data.variants.map(([n, title]) => [n, `${n} ${title}`]));
    this.group = select(["", "—"], ...groups.map((name) => [`=${name}`, name.slice(0, 40)]));
    if (rows.some((row) => !row.group)) this.group.append(option(["=", say("no_group")]));
    const directed = (name, sign) => say(sign > 0 ? "ascending" : "descending", { column: say(name) });
    const orders = Object.entries(this.columns).flatMap(([name, { first }]) =>
      [first, -first].map((sign) => [`${name} ${sign}`, directed(name, sign)]),
    );
    this.order = select([" 1", say("file")], ...orders);
    this.heads = Object.entries(this.columns).map(([name, { first }]) => this.head(name, first));
    const [caption, head] = [make("caption", { class: "unseen" }, say("caption")), make("tr", {}, this.heads)];
    this.element = make("table", {}, caption, make("thead", {}, head));
    this.nothing = make("p", { class: "nothing" }, say("nothing"));
  }

  head(name, first) {
    const turn = () => {
      this.order.value = `${name} ${this.order.value === `${name} ${first}` ? -first : first}`;
      this.sort();
    };
    return make("th", { scope: "col", class: name }, button(this.book.say(name), turn));
  }

  /** The bar of controls above the table. */
  filters() {
    const { only, order, shown } = this;
    const { say } = this.book;
    const labelled = (key) => make("label", { class: key }, make("span", {}, say(key)), this[key]);
    const boxes = Object.entries(only).map(([key, control]) => make("label", { class: "box" }, control, " ", say(key)));
    const oninput = ({ target }) => (target === order ? this.sort() : this.filter());
    const clear = button(say("clear"), () => this.clear());
    const labels = ["search", "variant", "group", "order"].map(labelled);
    return make("div", { class: "bar filters", oninput }, labels, boxes, clear, shown);
  }

  sort() {
    const { columns, heads, order } = this;
    const { lines, rows } = this.book;
    const [name, sign] = order.value.split(" ");
    for (const head of heads) {
      if (head.className !== name) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    }
    const values = rows.map(columns[name]?.of ?? (() => null));
    const places = rows.map((_, n) => n);
    places.sort((a, b) => compare(values[a], values[b], Number(sign), this.collator) || a - b);
    this.element.append(...places.map((n) => lines[n].body));
  }

  wanted(row, n) {
    const { group, only, search, texts, variant } = this;
    const words = folded(search.value).split(/\s+/).filter(Boolean);
    const entry = this.book.entryOf(row);
    const text = words.length > 0 ? `${texts[n]}\n${folded(entry.comment)}` : "";
    return (
      words.every((word) => text.includes(word)) &&
      (variant.value === "" || String(row.variant) === variant.value) &&
      (group.value === "" || `=${row.group}` === group.value) &&
      (!only.only_crosses.checked || row.crosses > 0) &&
      (!only.only_remarks.checked || row.remarks.length > 0) &&
      (!only.only_unmarked.checked || entry.mark === "")
    );
  }

  filter() {
    const { lines, rows, say } = this.book;
    rows.forEach((row, n) => {
      lines[n].body.hidden = !this.wanted(row, n);
    });
    const shown = lines.filter(({ body }) => !body.hidden).length;
    this.shown.textContent = say("shown", { shown, count: rows.length });
    this.nothing.hidden = shown > 0;
  }

  clear() {
    for (const control of [this.search, this.variant, this.group]) control.value = "";
    for (const control of Object.values(this.only)) control.checked = false;
    this.filter();
  }
}
