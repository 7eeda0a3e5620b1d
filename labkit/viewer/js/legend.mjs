// The legend: which segments there are, how much of each is left, and which are shown; above it SAM's answers.

import { button, decimal, make, percent, span } from "./page.mjs";
import { colorOf } from "./picture.mjs";

export class Legend {
  rows = [];

  constructor(viewer) {
    this.viewer = viewer;
    this.answers = make("div", { class: "bar answers", role: "group", "aria-label": viewer.say("answers") });
    this.list = make("ul", { class: "legend", "aria-label": viewer.say("legend") });
  }

  /** Writes all anew, for another picture or answer. */
  write() {
    const { current, say } = this.viewer;
    const { answer, item } = current;
    this.rows = item.segments.map((segment, n) => this.row(segment, n));
    if (answer !== null) this.rows = [this.rows[answer]];
    const rows = this.rows.map(({ row }) => row);
    this.list.replaceChildren(...(rows.length ? rows : [make("li", { class: "empty" }, say("nothing"))]));
    const answers = answer === null ? [] : item.segments;
    this.answers.replaceChildren(...answers.map(({ score }, n) => this.answer(score, n)));
  }

  /** The button of one of SAM's answers. */
  answer(score, n) {
    const { current, language, refresh, say } = this.viewer;
    const choose = () => {
      current.answer = n;
      this.write();
      this.answers.children[n].focus();
      refresh(true);
    };
    const attributes = { "aria-pressed": String(current.answer === n), name: `answer_${n + 1}` };
    return button(say("answer", { number: n + 1, score: decimal(score, language) }), choose, attributes);
  }

  row(segment, n) {
    const { current, language, nameOf, refresh } = this.viewer;
    const { id, score } = segment;
    const light = (lit) => () => {
      this.viewer.lit = lit;
      refresh(true);
    };
    const onchange = () => {
      current.hidden[box.checked ? "delete" : "add"](id);
      refresh(true);
    };
    const [on, off] = [light(id), light(null)];
    const box = make("input", { type: "checkbox", checked: !current.hidden.has(id), onchange });
    const [swatch, share, sure] = [span("swatch"), span("share"), span("score", decimal(score, language))];
    const label = make("label", {}, box, swatch, span("name", nameOf(segment)), share, sure);
    const row = make("li", { onpointerenter: on, onpointerleave: off, onfocusin: on, onfocusout: off }, label);
    return { n, segment, row, share, swatch };
  }

  /** Writes the areas that the threshold leaves, and the colours. */
  update() {
    const { current, language, settings } = this.viewer;
    for (const { n, segment, share, swatch, row } of this.rows) {
      share.textContent = percent(current.share(n), language, 1, { roundingMode: "floor" }); // 0,5 % is 0,5 % or more
      swatch.style.backgroundColor = colorOf(segment, settings.color_by);
      row.classList.toggle("gone", current.counts[n + 1] === 0);
    }
  }
}
