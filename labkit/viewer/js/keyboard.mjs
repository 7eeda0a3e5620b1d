// The keyboard: arrows go through the photos, pan, or move SAM's cursor; +, - and 0 zoom.

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const ZOOMS = { "+": 1.5, "=": 1.5, "-": 1 / 1.5, 0: 0 };

export function onKey(viewer, event) {
  const target = event.composedPath()[0];
  event.stopPropagation(); // the notebook has shortcuts of its own
  if (event.ctrlKey || event.metaKey || event.altKey) return passOn(viewer.shadow.host.parentElement, event);
  if (target.matches("input[type=range], select") || !viewer.current) return;
  const act = event.key in ARROWS ? pressArrow : pressKey;
  if (act(viewer, event, target)) event.preventDefault();
}

/** Jupyter's shortcuts end at the viewer, but what is pressed with Ctrl, as to save, is meant for the notebook. */
function passOn(element, event) {
  if (!element.dispatchEvent(new KeyboardEvent("keydown", event))) event.preventDefault();
}

/** Answers whether the key has done something. */
function pressArrow(viewer, { key, shiftKey }, target) {
  const { index, pictures, prompts, view } = viewer;
  const { panel } = target.dataset;
  const [dx, dy] = ARROWS[key];
  const step = shiftKey ? 0.1 : 0.02; // of the cursor
  if (prompts.ask && panel === "overlay") prompts.moveCursor(dx * step, dy * step);
  else if (panel && (view.zoom > 1 || shiftKey)) {
    const [width, height] = viewer.current.item.size;
    viewer.pan((dx * 0.05 * width) / view.zoom, (dy * 0.05 * height) / view.zoom);
  } else if (dx && pictures.length > 1) viewer.choose(index + dx).then(() => keepFocus(viewer.shadow, target));
  else return false;
  return true;
}

function pressKey(viewer, { key, shiftKey }, target) {
  const { prompts } = viewer;
  if (key in ZOOMS) viewer.zoom(ZOOMS[key]);
  else if (!prompts.ask) return false;
  else if (key === "Backspace") prompts.undo();
  else if (key === "Escape" && prompts.draft) prompts.drop();
  else if (key === "Enter" && prompts.cursor && target.dataset.panel) prompts.enter(shiftKey);
  else return false;
  return true;
}

/** The focus stays inside when a photo is changed by keyboard: on the new thumbnail, or the first panel. */
function keepFocus(shadow, target) {
  if (target.matches(".thumb")) shadow.querySelector("[aria-current=true]").focus();
  else if (!shadow.activeElement) shadow.querySelector("canvas").focus();
}
