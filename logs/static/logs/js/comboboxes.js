// The search box and the palette: boxes with a list of options from the server, loaded on focus.
import { $, $$, on } from "./dialogs.js";

const DELAY = 120; // ms

const combobox = (box) => {
  const list = document.getElementById(box.dataset.list);
  let pending;
  const current = () => $("[aria-selected=true]", list);
  const select = (option) => {
    current()?.setAttribute("aria-selected", false);
    option?.setAttribute("aria-selected", true);
    option?.scrollIntoView({ block: "nearest" });
    if (option) box.setAttribute("aria-activedescendant", option.id);
    else box.removeAttribute("aria-activedescendant");
  };
  const show = (isOpen) => {
    select(null);
    list.hidden = !isOpen;
    box.setAttribute("aria-expanded", isOpen);
  };
  const move = (by) => {
    const options = [...list.children];
    const index = options.indexOf(current());
    select(options[index < 0 && by < 0 ? options.length - 1 : (index + by + options.length) % options.length]);
  };
  const abort = () => pending?.abort();
  // Only the newest response counts, and none after the box has lost the focus.
  const load = async (query) => {
    abort();
    const { signal } = (pending = new AbortController());
    try {
      const response = await fetch(`${box.dataset.completions}?${new URLSearchParams(query)}`, { signal });
      const options = response.ok && !response.redirected ? await response.text() : "";
      if (signal.aborted) return false;
      list.innerHTML = options;
      show(list.childElementCount > 0);
      return true;
    } catch {}
  };
  const onKeys = (keys) =>
    box.addEventListener("keydown", (event) => {
      if (event.isComposing || event.shiftKey || event.altKey || event.ctrlKey || event.metaKey) return;
      if (keys[event.key]?.()) event.preventDefault();
    });
  const onChoice = (accept) =>
    list.addEventListener("click", ({ target }) => target !== list && accept(target.closest("[role=option]")));

  list.addEventListener("pointerdown", (event) => event.preventDefault());
  box.role = "combobox";
  box.ariaAutoComplete = "list";
  box.setAttribute("aria-controls", list.id);
  show(false);
  return { list, current, select, show, move, abort, load, onKeys, onChoice };
};

const startSearch = (box) => {
  const { list, current, select, show, move, abort, load, onKeys, onChoice } = combobox(box);
  let timer;
  const close = () => {
    clearTimeout(timer);
    abort();
    show(false);
  };
  // The server counts characters, not UTF-16 code units.
  const complete = () => load({ q: box.value, cursor: [...box.value.slice(0, box.selectionStart)].length });
  const accept = (option) => {
    const { before, after } = option.dataset;
    box.value = before + after;
    box.setSelectionRange(before.length, before.length);
    if (/[:.]$/.test(before)) complete();
    else close();
  };
  const acceptCurrent = () => {
    const option = current();
    if (option) accept(option);
    return Boolean(option);
  };
  const keys = {
    ArrowDown: () => (list.hidden ? complete() : move(1), true),
    ArrowUp: () => !list.hidden && (move(-1), true),
    Escape: () => !list.hidden && (close(), true),
    Tab: acceptCurrent,
    // Not a change, a search and a submit.
    Enter: () => acceptCurrent() || (close(), box.form.requestSubmit(), true),
  };
  for (const name of ["ArrowLeft", "ArrowRight", "Home", "End"]) keys[name] = () => close();
  onKeys(keys);
  onChoice(accept);
  box.addEventListener("input", (event) => {
    clearTimeout(timer);
    select(null);
    const isInTerm = /\S$/.test(box.value.slice(0, box.selectionStart));
    if (!isInTerm) close();
    else if (!event.isComposing) timer = setTimeout(complete, DELAY);
  });
  box.addEventListener("change", (event) => event.stopPropagation()); // the term may be incomplete
  for (const name of ["blur", "pointerdown"]) box.addEventListener(name, close);
  on("htmx:afterSettle", () => {
    const problems = $("#search-problems");
    box.setAttribute("aria-invalid", Boolean(problems));
    box.setAttribute("aria-describedby", problems?.id ?? "");
  });
  if (box.value !== box.defaultValue) complete();
};

const MAX_ACTIONS = 8;
const startPalette = (box) => {
  const { list, current, select, show, move, abort, load, onKeys, onChoice } = combobox(box);
  const dialog = box.closest("dialog");
  const elements = new Map(); // of the options that are actions of the page
  let results;

  const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  const label = (element) => {
    const copy = element.cloneNode(true);
    $("kbd", copy)?.remove();
    return element.dataset.palette || element.ariaLabel || copy.textContent.trim();
  };
  const addActions = (text) => {
    const offered = $$(".page-header .btn, [data-shortcut], [data-palette]").filter(
      (element) => element.checkVisibility() && !element.disabled && plain(label(element)).includes(plain(text)),
    );
    elements.clear();
    for (const [index, element] of offered.slice(0, MAX_ACTIONS).entries()) {
      const option = $("template", dialog).content.firstElementChild.cloneNode(true);
      option.id += index;
      option.prepend(label(element));
      elements.set(option, element);
    }
    list.append(...elements.keys(), ...$$("[data-log-search]", list)); // the search of the logs stays the last
    show(list.childElementCount > 0);
  };
  // Nothing is selected until something is typed.
  const refresh = async (delay) => {
    const { value } = box;
    await new Promise((resolve) => setTimeout(resolve, delay));
    const text = value.trim();
    if (value !== box.value || !dialog.open || !(await load({ q: text }))) return;
    addActions(text);
    if (text) select(list.firstElementChild);
  };
  onKeys({
    ArrowDown: () => (move(1), true),
    ArrowUp: () => (move(-1), true),
    // An action is carried out only if it was shown before.
    Enter: () => {
      const isShown = current();
      results.then(() => (isShown || current()?.href) && current()?.click());
      return true;
    },
  });
  onChoice((option) => {
    dialog.close();
    elements.get(option)?.click();
  });
  box.addEventListener("input", () => {
    abort();
    select(null);
    results = refresh(DELAY);
  });
  box.addEventListener("focus", () => list.hidden && (results = refresh(0)));
  dialog.addEventListener("close", () => {
    abort();
    box.value = "";
    list.replaceChildren();
    show(false);
  });
  results = refresh(0);
};

for (const [selector, start] of [["[data-search][data-completions]", startSearch], ["#palette-box", startPalette]]) {
  const box = $(selector);
  if (box) start(box);
}
