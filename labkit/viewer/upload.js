// The button of `labkit.upload`. A chosen file goes to Python in pieces, each when the last one has been answered.

const PIECE = 512 * 1024; // well below what one message may hold: 1 MB in Colab, 10 MB in Jupyter

export default {
  render({ model, el }) {
    el.classList.add("labkit-live");
    const id = Math.random().toString(36).slice(2);
    const input = document.createElement("input");
    input.type = "file";
    input.multiple = true;
    input.accept = model.get("accept");
    input.hidden = true;
    const button = document.createElement("button");
    button.className = "jupyter-widgets jupyter-button widget-button";
    button.style.width = "auto";
    button.textContent = model.get("button");
    button.addEventListener("click", () => input.click());
    const status = document.createElement("p");
    status.setAttribute("role", "status");
    status.style.whiteSpace = "pre-line";
    el.append(button, input, status);

    const say = () => {
      status.textContent = model.get("message");
    };
    let answered;
    const hear = (answer) => {
      if (answer.id !== id) return;
      if (answer.more) status.textContent = answer.more;
      answered?.(answer.more);
    };
    const ask = (piece, content) =>
      new Promise((resolve) => {
        answered = resolve;
        model.send({ id, ...piece }, undefined, [content]);
      });

    async function send(file, place) {
      const piece = { ...place, name: file.name, size: file.size, start: 0 };
      try {
        for (let more = true; more; piece.start += PIECE) {
          const content = await file.slice(piece.start, piece.start + PIECE).arrayBuffer();
          more = await ask(piece, content);
        }
      } catch (error) {
        await ask({ ...piece, failed: String(error) }, new ArrayBuffer(0)); // the file went away, or may not be read
      }
    }

    input.addEventListener("change", async () => {
      const files = [...input.files];
      button.disabled = true;
      status.textContent = model.get("waiting");
      for (const [n, file] of files.entries()) await send(file, { number: n + 1, count: files.length });
      say();
      input.value = "";
      button.disabled = false;
    });

    say();
    model.on("change:message", say);
    model.on("msg:custom", hear);
    return () => {
      model.off("change:message", say);
      model.off("msg:custom", hear);
    };
  },
};
