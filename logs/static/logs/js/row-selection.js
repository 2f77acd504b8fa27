// The selected rows of the log list, loaded on focus.
import { $, $$, on } from "./dialogs.js";

const boxes = () => $$("[data-rows] [name=log]");
const currentFilter = () => $("#bulk-bar [name=query]")?.value;
let filter = currentFilter();
let selected;
let isAll; // all logs that match, on other pages too
let rangeStart;

const setSelected = (some, isSelected, andAllOthers = false) => {
  for (const box of some) box.checked = isSelected;
  isAll = andAllOthers;
  selected = new Set(boxes().flatMap((box) => (box.checked ? box.value : [])));
  const label = $("#bulk-bar b");
  if (!label) return;
  const { size } = selected;
  const selectPage = $("[data-select-page]");
  selectPage.checked = size === boxes().length;
  selectPage.indeterminate = size > 0 && !selectPage.checked;
  $("[data-select-all]").hidden = isAll;
  const copyIds = $("[data-copy-ids]");
  copyIds.hidden = isAll; // the page doesn't know the ids of other pages
  copyIds.dataset.copy = [...selected].join("\n"); // js/controls.js copies it
  for (const button of $$("#bulk-bar [name=source]")) button.value = isAll ? "filter" : "selected";
  const { textSome, textAll } = label.dataset;
  const text = isAll ? textAll : textSome.replace("{number}", size);
  if (label.textContent !== text) label.textContent = text;
};

on("click", ({ target, shiftKey }) => {
  const all = boxes();
  if (target.matches("[data-select-page]")) {
    rangeStart = all[0].value;
    setSelected(all, target.checked);
  } else if (target.matches("[data-select-all]")) {
    setSelected(all, true, true);
    $("#bulk-bar [data-shortcut]").focus();
  } else if (all.includes(target)) {
    const indexes = [rangeStart, target.value].map((id) => all.findIndex((box) => box.value === id));
    const [from, to] = indexes.sort((a, b) => a - b);
    rangeStart = target.value;
    setSelected(shiftKey && from >= 0 ? all.slice(from, to + 1) : [], target.checked);
  }
});
on("reset", ({ target }) => {
  if (target.id !== "bulk-bar") return;
  if (target.contains(document.activeElement)) boxes().find((box) => box.value === rangeStart)?.focus();
  selected.clear();
  isAll = false;
  setTimeout(setSelected, 0, []);
});

// New rows belong to the same list, unless the filter has changed.
on("htmx:afterSettle", () => {
  if (currentFilter() !== filter) {
    $("[data-selection-lost]").hidden = !selected.size;
    filter = currentFilter();
    selected.clear();
    isAll = false;
  }
  for (const box of boxes()) box.checked = isAll || selected.has(box.value);
  setSelected([], true, isAll);
});

setSelected($("[data-select-page]")?.checked ? boxes() : [], true);
rangeStart = [...selected][0];
