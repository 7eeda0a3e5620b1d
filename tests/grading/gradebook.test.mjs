// The arithmetic of the table of grades, without a browser: node --test tests/grading/gradebook.test.mjs

import assert from "node:assert/strict";
import test from "node:test";

import { bare, decoded, guarded, readCsv, writeCsv } from "../../labkit/grading/js/csv.mjs";
import { keyOf, readMark, readMarks, takeNewer } from "../../labkit/grading/js/marks.mjs";
import { compare, folded } from "../../labkit/grading/js/table.mjs";

const HOSTILE = ["=1+1", "+7", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "\n-2", "'=1"];

test("no part of a cell is a formula, whatever a reader parts cells by, and it comes back as it was", () => {
  const inside = HOSTILE.flatMap((cell) => [`a,${cell}`, `a; ${cell}`, `a\t${cell}`, `a\n${cell}`, `"a",""${cell}`]);
  for (const cell of [...HOSTILE, ...inside]) {
    for (const separator of [/[,\n]/, /[;\n]/, /[\t\n]/])
      for (const part of guarded(cell).split(separator)) assert.ok(!/^["\s]*[=+\-@＝]/.test(part), cell);
    assert.equal(bare(guarded(cell)), cell);
  }
  for (const cell of ["", "Иванов", "5", "a=b", "'так'", "«-»", "да, но", "а — б"]) {
    assert.equal(guarded(cell), cell);
    assert.equal(bare(cell), cell);
  }
});

test("what is written is read back, whatever stands in the cells", () => {
  const rows = [["Студент", 'он сказал "да"', "a;b"], ["две\nстроки", "", "конец\r\n"], HOSTILE.slice(0, 3)];
  assert.deepEqual(readCsv(writeCsv(rows)), rows);
  assert.ok(writeCsv(rows).startsWith("\ufeff"));
});

test("the separator is what the first line has, the last line need not end", () => {
  const read = (text) => readCsv(text).map((row) => row.join("|"));
  assert.deepEqual(read("a,b,c;d\n1,2,3;4"), ["a|b|c;d", "1|2|3;4"]);
  assert.deepEqual(read("a\tb\r\n1\t2\r\n"), ["a|b", "1|2"]);
  assert.deepEqual(read("a;b\n1;"), ["a|b", "1|"]);
});

test("a file that is not UTF-8 is what Excel writes in Russia; a replacement character is no reason", () => {
  assert.equal(decoded(Uint8Array.of(0xce, 0xf6, 0xe5, 0xed, 0xea, 0xe0).buffer), "Оценка");
  assert.equal(decoded(new TextEncoder().encode("Оценка \ufffd").buffer), "Оценка \ufffd");
});

test("a mark is a number of 0 or more, with a comma or a point, or nothing", () => {
  assert.deepEqual(["8,5", "8.5", " 5 ", "", "0", "100"].map(readMark), ["8.5", "8.5", "5", "", "0", "100"]);
  for (const text of ["-1", "зачёт", "1e9", "5;", "1.2.3", "12345678", "NaN"]) assert.equal(readMark(text), null, text);
});

test("of a block only what is a mark is taken", () => {
  const good = { mark: "4.5", comment: "да", at: 7, who: "moodle:1", name: "Анна" };
  const bad = [{ ...good, mark: "-5" }, { ...good, at: "8" }, null, { ...good, comment: [] }, 3];
  const marks = { a: good, ...bad };
  assert.deepEqual([...readMarks({ marks })], [["a", good]]);
  for (const block of [null, {}, { marks: 5 }, { marks: null }]) assert.equal(readMarks(block).size, 0);
});

test("of two sources the newer mark counts, in either order; only other words count as changed", () => {
  const given = (mark, at) => ({ mark, comment: "", at });
  const older = () => new Map(Object.entries({ a: given("3", 1), b: given("4", 5) }));
  const newer = () => new Map(Object.entries({ a: given("5", 2), c: given("", 9) }));
  const [one, two] = [older(), newer()];
  assert.equal(takeNewer(one, newer()), 1);
  assert.equal(takeNewer(two, older()), 1);
  for (const marks of [one, two])
    assert.deepEqual([marks.get("a").mark, marks.get("b").mark, marks.size], ["5", "4", 3]);
});

test("what is missing comes last in both directions", () => {
  const collator = new Intl.Collator("ru", { numeric: true });
  const sorted = (values, direction) => values.toSorted((a, b) => compare(a, b, direction, collator));
  assert.deepEqual(sorted([2, null, 10, 0.5], 1), [0.5, 2, 10, null]);
  assert.deepEqual(sorted([2, null, 10, 0.5], -1), [10, 2, 0.5, null]);
  assert.deepEqual(sorted(["ИВТ-10", "", "ИВТ-9", "ёж"], 1), ["ёж", "ИВТ-9", "ИВТ-10", ""]);
  assert.deepEqual(sorted(["ИВТ-10", "", "ИВТ-9"], -1), ["ИВТ-10", "ИВТ-9", ""]);
});

test("a key is of the file and its content; search knows neither case nor ё", () => {
  assert.notEqual(keyOf({ sha256: "a", file: "x" }), keyOf({ sha256: "b", file: "x" }));
  assert.equal(folded("Ковалёв"), folded("КОВАЛЕВ"));
});
