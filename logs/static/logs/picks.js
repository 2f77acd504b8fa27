// Ticked rows of the explorer: ranges, all of the page, all that match, and how many. Comes when somebody goes to the table (cotadmin.js).
(() => {
  "use strict";
  const $ = (selector) => document.querySelector(selector);
  const boxes = () => [...document.querySelectorAll("[data-rows] [name=log]")];
  const filter = () => $("#picked [name=query]")?.value;
  const announcer = $("#announcer");
  let picked; // ids
  let isAll = false; // all that match, those that are not on the page too
  let anchor; // the id from which on a range is ticked
  let filtered = filter();

  const show = () => {
    const words = $("#picked [data-many]");
    if (!words) return;
    const all = boxes();
    const page = $("[data-pick-page]");
    page.checked = picked.size > 0 && picked.size === all.length;
    page.indeterminate = picked.size > 0 && !page.checked;
    $("[data-pick-all]").hidden = isAll;
    $("#picked [name=source]").value = isAll ? "filter" : "chosen";
    const number = picked.size.toLocaleString(document.documentElement.lang);
    const { one, many, all: everything } = words.dataset;
    words.textContent = isAll ? everything : picked.size === 1 ? one : many.replace("{number}", number);
  };
  const read = () => {
    picked = new Set(boxes().flatMap((box) => (box.checked ? box.value : [])));
    show();
  };
  const announce = () => (announcer.textContent = $("#picked [data-many]").textContent);
  const tick = (some, isTicked, andAllOthers = false) => {
    for (const box of some) box.checked = isTicked;
    isAll = andAllOthers;
    read();
    announce();
  };

  document.addEventListener("click", ({ target, shiftKey }) => {
    if (target.matches("[data-pick-page]")) {
      anchor = boxes()[0].value;
      tick(boxes(), target.checked);
    }
    if (target.closest("[data-pick-all]")) {
      tick(boxes(), true, true);
      $("#picked [name=source]").focus(); // the button that was pressed is gone
    }
    if (!target.matches("[data-rows] [name=log]")) return;
    const all = boxes();
    const ends = [all.findIndex((box) => box.value === anchor), all.indexOf(target)].sort((a, b) => a - b);
    anchor = target.value;
    tick(shiftKey && ends[0] >= 0 ? all.slice(ends[0], ends[1] + 1) : [], target.checked);
  });
  document.addEventListener("reset", ({ target }) => {
    if (target.id !== "picked") return;
    if (target.contains(document.activeElement)) boxes().find((box) => box.value === anchor)?.focus();
    setTimeout(() => tick([], false));
  });
  // Before anything else that Escape closes has closed.
  document.addEventListener(
    "keydown",
    ({ key, target }) => {
      if (key !== "Escape" || document.documentElement.dataset.shortcuts === "off" || !picked.size) return;
      if (!target.matches("input:not([type=checkbox], [type=radio]), textarea, select") && !$("dialog[open], :popover-open, .pop[open]"))
        $("#picked").reset();
    },
    true,
  );

  // Rows that came anew, or are more, are of the same list; with another filter it is another one.
  document.addEventListener("htmx:afterSettle", () => {
    if (filter() !== filtered) {
      $("[data-given-up]").hidden = !picked.size;
      filtered = filter();
      picked.clear();
      isAll = false;
    }
    for (const box of boxes()) box.checked = isAll || picked.has(box.value);
    read();
  });

  // What was ticked before this came.
  if ($("[data-pick-page]")?.checked) for (const box of boxes()) box.checked = true;
  read();
  anchor = [...picked][0];
  if (anchor) announce();
})();
