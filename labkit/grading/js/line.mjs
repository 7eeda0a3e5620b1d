// A row of the table, with the fields that take its mark and comment.

import { button, make, span } from "../../viewer/js/page.mjs";
import { keyOf, readMark } from "./marks.mjs";
import { detailsOf, fileOf, iouOf, remarksOf, signsOf, stripOf, written } from "./work.mjs";

/** A row's own `tbody`: the line of the table and, when opened, the details; so both move together. */
export class Line {
  details = null;

  constructor(book, row, n) {
    const { say, local, nameOf } = book;
    const [student, oninput] = [nameOf(row), () => this.changed()];
    const about = { inputmode: "decimal", autocomplete: "off", size: "4", "aria-label": say("mark_of", { student }) };
    Object.assign(this, { book, row, n });
    this.mark = make("input", { ...about, oninput });
    this.comment = make("textarea", { rows: "2", "aria-label": say("comment_on", { student }), oninput });
    this.wrong = make("span", { class: "wrong", role: "status" });
    const suggested = say("take", { mark: local(row.suggestion) });
    const turn = () => this.open(this.details?.hidden ?? true);
    this.take = button(suggested, () => this.accept(), { class: "take", title: row.reckoned });
    this.toggle = button(written(student), turn, { class: "name", "aria-expanded": "false" });
    this.body = make("tbody", { id: `row-${n}`, class: row.problem ? "problem" : "" }, make("tr", {}, this.cells()));
  }

  cells() {
    const { book, comment, mark, row, take, toggle, wrong } = this;
    const { say, local } = book;
    const cell = (name, ...children) => make("td", { class: name, "data-label": say(name) }, ...children);
    const date = row.shown.split(/ (.*)/s, 2).flatMap((text) => [make("span", {}, text), " "]);
    const before = row.earlier ? [row.earlier.mark && local(row.earlier.mark), row.earlier.comment] : [];
    const was = before.filter(Boolean).join(": ");
    const earlier = was && span("earlier", say("earlier", { mark: was }));
    return [
      make("th", { scope: "row", class: "student" }, toggle, fileOf(book, row)),
      cell("group", row.group && written(row.group)),
      cell("variant", row.variant && [make("b", {}, String(row.variant)), " ", span("model", row.variant_title)]),
      cell("date", row.shown && date),
      cell("checks", signsOf(book, row)),
      cell("iou", iouOf(book, row.iou)),
      cell("remarks", remarksOf(book, row, 3)),
      cell("photos", stripOf(row)),
      cell("mark", mark, wrong, row.suggestion && take, earlier),
      cell("comment", comment),
    ];
  }

  /** Shows the details, which are made when they are first asked for, or hides them. */
  open(open) {
    const { book, body, n, row, toggle } = this;
    toggle.setAttribute("aria-expanded", String(open));
    if (open && !this.details) {
      this.details = make("tr", { id: `details-${n}` }, detailsOf(book, row));
      body.append(this.details);
      toggle.setAttribute("aria-controls", this.details.id);
    }
    if (this.details) this.details.hidden = !open;
  }

  /** Puts the mark that counts into the fields. */
  show() {
    const entry = this.book.entryOf(this.row);
    this.mark.value = this.book.local(entry.mark);
    this.comment.value = entry.comment;
    this.tell(entry.mark);
  }

  /** Says where a text is no mark; the comment is shown in its place on paper. */
  tell(text) {
    const { book, row } = this;
    const fits = readMark(text) !== null;
    this.wrong.textContent = fits ? "" : book.say("not_mark", { text });
    this.mark.setAttribute("aria-invalid", String(!fits));
    this.take.hidden = book.entryOf(row).mark !== "" || !fits;
    this.comment.parentNode.dataset.value = this.comment.value;
    book.refused[fits ? "delete" : "add"](row);
  }

  /** Gives what stands in the fields; what is no number is refused in sight, and loses nothing. */
  changed() {
    const { book, comment, mark, row } = this;
    const read = readMark(mark.value) ?? book.entryOf(row).mark;
    const whose = { who: row.who, name: book.ownName(row) };
    book.marks.set(keyOf(row), { mark: read, comment: comment.value, at: Date.now(), ...whose });
    this.tell(mark.value);
    book.keep();
    book.tell();
  }

  /** Takes the suggestion where there is no mark. */
  accept() {
    const { book, mark, row } = this;
    if (!row.suggestion || book.entryOf(row).mark !== "" || mark.value !== "") return;
    mark.value = book.local(row.suggestion);
    this.changed();
  }
}
