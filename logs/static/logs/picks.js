// The selected rows of the log list. cotadmin.js loads this on focus.
(() => {
  "use strict";
  const $ = (selector) => document.querySelector(selector);
  const boxes = () => [...document.querySelectorAll("[data-rows] [name=log]")];
  const filter = () => $("#bulk-bar [name=query]")?.value;
  let filtered = filter();
  let picked; // ids
  let isAll; // all logs that match, on other pages too
  let anchor; // the id where a range selection starts

  const tick = (some, isTicked, andAllOthers = false) => {
    for (const box of some) box.checked = isTicked;
    isAll = andAllOthers;
    picked = new Set(boxes().flatMap((box) => (box.checked ? box.value : [])));
    const words = $("#bulk-bar b");
    if (!words) return;
    const { size } = picked;
    const page = $("[data-select-page]");
    page.checked = size === boxes().length;
    page.indeterminate = size > 0 && !page.checked;
    $("[data-select-all]").hidden = isAll;
    $("#bulk-bar [name=source]").value = isAll ? "filter" : "selected";
    const { textOne: one, textMany: many, textAll: all } = words.dataset;
    const text = isAll ? all : size === 1 ? one : many.replace("{number}", size);
    if (words.textContent !== text) words.textContent = text; // a status is announced when it changes
  };

  document.addEventListener("click", ({ target, shiftKey }) => {
    const all = boxes();
    if (target.matches("[data-select-page]")) {
      anchor = all[0].value;
      tick(all, target.checked);
    } else if (target.matches("[data-select-all]")) {
      tick(all, true, true);
      $("#bulk-bar [name=source]").focus(); // the clicked button is now hidden
    } else if (all.includes(target)) {
      const [from, to] = [anchor, target.value].map((id) => all.findIndex((box) => box.value === id)).sort((a, b) => a - b);
      anchor = target.value;
      tick(shiftKey && from >= 0 ? all.slice(from, to + 1) : [], target.checked);
    }
  });
  document.addEventListener("reset", ({ target }) => {
    if (target.id !== "bulk-bar") return;
    if (target.contains(document.activeElement)) boxes().find((box) => box.value === anchor)?.focus();
    picked.clear(); // before new rows arrive
    isAll = false;
    setTimeout(tick, 0, []);
  });

  // New rows belong to the same list, unless the filter has changed.
  document.addEventListener("htmx:afterSettle", () => {
    if (filter() !== filtered) {
      $("[data-selection-lost]").hidden = !picked.size;
      filtered = filter();
      picked.clear();
      isAll = false;
    }
    for (const box of boxes()) box.checked = isAll || picked.has(box.value);
    tick([], true, isAll);
  });

  // Rows selected before this script was loaded.
  tick($("[data-select-page]")?.checked ? boxes() : [], true);
  anchor = [...picked][0];
})();
