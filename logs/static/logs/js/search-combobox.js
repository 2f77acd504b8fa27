// The search box as a combobox, loaded on focus.
const DELAY = 120; // ms
const box = document.querySelector("[data-completions]");
const list = document.getElementById(box.dataset.list);
let timer, pending;

const current = () => list.querySelector("[aria-selected=true]");
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
const close = () => {
  clearTimeout(timer);
  pending?.abort();
  show(false);
};

// Only the newest response counts, and none after the box has lost the focus.
const complete = async () => {
  pending?.abort();
  const { signal } = (pending = new AbortController());
  const cursor = [...box.value.slice(0, box.selectionStart)].length; // the server counts characters, not UTF-16 code units
  try {
    const response = await fetch(`${box.dataset.completions}?${new URLSearchParams({ q: box.value, cursor })}`, { signal });
    const options = response.ok && !response.redirected ? await response.text() : "";
    if (signal.aborted) return;
    list.innerHTML = options;
    show(list.childElementCount > 0);
  } catch {}
};
const accept = (option) => {
  const { before, after } = option.dataset;
  box.value = before + after;
  box.setSelectionRange(before.length, before.length);
  if (/[:.]$/.test(before)) complete();
  else close();
};
const move = (by) => {
  const options = [...list.children];
  const index = options.indexOf(current());
  select(options[index < 0 && by < 0 ? options.length - 1 : (index + by + options.length) % options.length]);
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

box.addEventListener("keydown", (event) => {
  if (event.isComposing || event.shiftKey || event.altKey || event.ctrlKey || event.metaKey) return;
  if (keys[event.key]?.()) event.preventDefault();
});
box.addEventListener("input", (event) => {
  clearTimeout(timer);
  select(null);
  const isInTerm = /\S$/.test(box.value.slice(0, box.selectionStart));
  if (!isInTerm) close();
  else if (!event.isComposing) timer = setTimeout(complete, DELAY);
});
box.addEventListener("change", (event) => event.stopPropagation()); // the term may be incomplete
for (const name of ["blur", "pointerdown"]) box.addEventListener(name, close);
list.addEventListener("pointerdown", (event) => event.preventDefault());
list.addEventListener("click", ({ target }) => target !== list && accept(target.closest("[role=option]")));

document.addEventListener("htmx:afterSettle", () => {
  const problems = document.getElementById("search-problems");
  box.setAttribute("aria-invalid", Boolean(problems));
  box.setAttribute("aria-describedby", problems?.id ?? "");
});

box.role = "combobox";
box.ariaAutoComplete = "list";
box.setAttribute("aria-controls", list.id);
show(false);
if (box.value !== box.defaultValue) complete();
