// The selected rows of the log list. cotadmin.js loads this on focus.
(() => {
  "use strict";
  const $ = (selector) => document.querySelector(selector);
  const boxes = () => [...document.querySelectorAll("[data-rows] [name=log]")];
  const filter = () => $("#picked [name=query]")?.value;
  let filtered = filter();
  let picked; // ids
  let isAll; // all logs that match, on other pages too
  let anchor; // the id where a range selection starts

  const tick = (some, isTicked, andAllOthers = false) => {
    for (const box of some) box.checked = isTicked;
    isAll = andAllOthers;
    picked = new Set(boxes().flatMap((box) => (box.checked ? box.value : [])));
    const words = $("#picked b");
    if (!words) return;
    const { size } = picked;
    const page = $("[data-pick-page]");
    page.checked = size === boxes().length;
    page.indeterminate = size > 0 && !page.checked;
    $("[data-pick-all]").hidden = isAll;
    $("#picked [name=source]").value = isAll ? "filter" : "selected";
    const { one, many, all } = words.dataset;
    const text = isAll ? all : size === 1 ? one : many.replace("{number}", size);
    if (words.textContent !== text) words.textContent = text; // a status is announced when it changes
  };

  document.addEventListener("click", ({ target, shiftKey }) => {
    const all = boxes();
    if (target.matches("[data-pick-page]")) {
      anchor = all[0].value;
      tick(all, target.checked);
    } else if (target.matches("[data-pick-all]")) {
      tick(all, true, true);
      $("#picked [name=source]").focus(); // the clicked button is now hidden
    } else if (all.includes(target)) {
      const [from, to] = [anchor, target.value].map((id) => all.findIndex((box) => box.value === id)).sort((a, b) => a - b);
      anchor = target.value;
      tick(shiftKey && from >= 0 ? all.slice(from, to + 1) : [], target.checked);
    }
  });
  document.addEventListener("reset", ({ target }) => {
    if (target.id !== "picked") return;
    if (target.contains(document.activeElement)) boxes().find((box) => box.value === anchor)?.focus();
    picked.clear(); // before new rows arrive
    isAll = false;
    setTimeout(tick, 0, []);
  });

  // New rows belong to the same list, unless the filter has changed.
  document.addEventListener("htmx:afterSettle", () => {
    if (filter() !== filtered) {
      $("[data-given-up]").hidden = !picked.size;
      filtered = filter();
      picked.clear();
      isAll = false;
    }
    for (const box of boxes()) box.checked = isAll || picked.has(box.value);
    tick([], true, isAll);
  });

  // Rows selected before this script was loaded.
  tick($("[data-pick-page]")?.checked ? boxes() : [], true);
  anchor = [...picked][0];
})();
