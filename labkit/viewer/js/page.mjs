// What a page is made of: elements, and texts and numbers as a language writes them.

/**
 * An element: attributes (null for none) and listeners (`onclick`), then children, also in lists.
 *
 * A string is text, never markup; of children what is false, null or empty is left out.
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else if (value !== null) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter(Boolean));
  return element;
}

export const button = (label, action, attributes = {}) =>
  make("button", { type: "button", onclick: action, ...attributes }, label);

export const span = (name, ...children) => make("span", { class: name }, children);

/** Follows the theme of JupyterLab or Colab, elsewhere the page's own, until the answer is called. */
export function followTheme(host) {
  const { body, documentElement } = document;
  const apply = () => {
    const light = body.dataset.jpThemeLight;
    const dark = light ? light === "false" : documentElement.getAttribute("theme") === "dark";
    host.style.colorScheme = dark ? "dark" : "light";
  };
  apply();
  const observer = new MutationObserver(apply);
  observer.observe(body, { attributeFilter: ["data-jp-theme-light"] });
  observer.observe(documentElement, { attributeFilter: ["theme"] });
  return () => observer.disconnect();
}

/** Options of a number with so many decimals. */
export const digits = (count) => ({ minimumFractionDigits: count, maximumFractionDigits: count });

/** A share in [0, 1] in words of the language: "12,3 %". */
export const percent = (share, language, count = 1, how = {}) =>
  share.toLocaleString(language, { style: "percent", ...digits(count), ...how });

/** A score in [0, 1] with two digits. */
export const decimal = (value, language) => value.toLocaleString(language, digits(2));

/** `{name}` in a text replaced by its value. */
export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
