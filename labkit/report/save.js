// What the button of `labkit.hand_in` asks of the page: to save the notebook, as Ctrl+S does in JupyterLab and Notebook 7.

export default {
  render({ model, el }) {
    el.classList.add("labkit-live");
    const save = () => {
      const mac = navigator.platform.startsWith("Mac");
      const key = { key: "s", code: "KeyS", keyCode: 83, bubbles: true, cancelable: true };
      const page = el.closest(".jp-Notebook") ?? document.body;
      page.dispatchEvent(new KeyboardEvent("keydown", { ...key, ctrlKey: !mac, metaKey: mac }));
    };
    model.on("msg:custom", save);
    return () => model.off("msg:custom", save);
  },
};
