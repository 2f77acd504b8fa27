// Lists, their facets and chart, and the regions that requests replace.
import { $, $$, announce, on } from "./dialogs.js";

on("htmx:configRequest", ({ detail: { verb, formData } }) => {
  if (verb === "get") for (const [name, value] of [...formData]) if (value === "") formData.delete(name);
});

// A region that refreshes itself waits while somebody types, selects text, has something open, or asks for another list.
const isInUse = (region) => {
  const selection = getSelection();
  return (
    $("dialog[open], :popover-open, .popover[open]") ||
    region.closest("[aria-busy=true]") ||
    $(":is(input, select, textarea):focus", region) ||
    (!selection.isCollapsed && selection.containsNode(region, true))
  );
};
on("htmx:beforeRequest", (event) => {
  const { elt } = event.detail;
  if ((document.hidden && elt.matches("[data-poll]")) || (elt.matches("[data-live]") && isInUse(elt))) event.preventDefault();
});

// Don't replace a form while a dialog asks about it or offers its buttons.
on("htmx:beforeSwap", ({ detail }) => {
  const { elt } = detail.requestConfig;
  if (elt.matches("[data-live]") ? isInUse(elt) : $("dialog[open]") && elt.matches("[data-poll]")) detail.shouldSwap = false;
});

// A plan's answer must not replace what was typed after its request. The change that ends the typing sends another.
on("htmx:beforeSwap", ({ detail }) => {
  const typed = $("#plan-choices :is([type=number], [type=text]):focus");
  if (typed && detail.target.contains(typed) && detail.requestConfig.formData.get(typed.name) !== typed.value) detail.shouldSwap = false;
});

const showBlocked = () => {
  const wrong = $("#incidents-count > span")?.textContent ?? $("#queues-count > span")?.textContent;
  document.title = (wrong ? `(${wrong}) ` : "") + document.title.replace(/^\(\d+\) /, "");
};
showBlocked();
on("htmx:afterRequest", showBlocked);

// Replacing a region keeps scroll and focus.
let pressed = null; // its request disables it, so it loses the focus
let kept = null;
const linksTo = (href, region) => $$("a", region).filter((link) => link.getAttribute("href") === href);
on("htmx:beforeRequest", ({ detail: { elt } }) => {
  pressed = elt.contains(document.activeElement) ? document.activeElement : null;
});
on("htmx:beforeSwap", ({ detail: { target } }) => {
  const focused = [document.activeElement, pressed?.disabled && pressed].find((element) => element && target.contains(element));
  const anchors = $$("[data-anchor]", target);
  const anchor =
    anchors.find((item) => item.contains(focused)) ?? anchors.find((item) => item.getBoundingClientRect().bottom > 0);
  kept = anchor && { top: anchor.getBoundingClientRect().top, anchor: anchor.id, focused: focused?.id, region: target.id };
  if (kept) kept.href = focused?.getAttribute("href");
  if (kept?.href) kept.index = linksTo(kept.href, target).indexOf(focused);
});
on("htmx:afterSwap", () => {
  if (!kept) return;
  const [anchor, focused, region] = [kept.anchor, kept.focused, kept.region].map((id) => document.getElementById(id));
  if (anchor && scrollY) scrollBy(0, anchor.getBoundingClientRect().top - kept.top);
  if (kept.focused !== undefined && document.activeElement === document.body) {
    (focused ?? linksTo(kept.href, region)[kept.index] ?? anchor ?? region).focus({ preventScroll: true });
  }
  kept = null;
});

const MAX_AUTO_LOADS = 3;
let autoLoads = 0;
const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      htmx.trigger(target, "near");
    }
  },
  { rootMargin: "300px" },
);
const observe = () => {
  const link = $("[data-load-more]");
  if (link && autoLoads < MAX_AUTO_LOADS) observer.observe(link);
};
observe();

let lastRow = null;
on("htmx:beforeSwap", ({ detail: { target, requestConfig } }) => {
  const isAutoLoad = requestConfig.triggeringEvent?.type === "near";
  if (isAutoLoad) autoLoads++;
  else if (target.id === "results") autoLoads = 0;
  lastRow = target.matches("#load-more, li:has(> .show-more)") && !isAutoLoad ? target.previousElementSibling : null;
});
on("htmx:afterSettle", (event) => {
  observe();
  if (lastRow) {
    $("[data-row-link], summary, .key", lastRow.nextElementSibling || lastRow)?.focus();
    lastRow = null;
  } else if (event.detail.elt.id === "results") {
    const heading = $("#results [data-announce]");
    if (heading) announce(heading.textContent);
  }
});

// A range replaces a custom start and end, before htmx reads the form.
on(
  "change",
  ({ target }) => {
    if (!target.matches("[data-range-choice]")) return;
    for (const input of $$("#range [type=hidden]")) input.disabled = true;
  },
  true,
);

const opened = new Map();
on("click", ({ target }) => {
  const details = target.closest(":is(.facet, .fold, [data-live] details[id]) > summary")?.parentElement;
  if (details) opened.set(details.id, !details.open);
});
on("htmx:afterSettle", () => {
  for (const [id, isOpen] of opened) {
    const details = document.getElementById(id);
    if (details) details.open = isOpen;
  }
});

// A cached page may show numbers of other choices.
addEventListener("pageshow", (event) => event.persisted && $("#plan-choices")?.dispatchEvent(new Event("change")));

on("click", ({ target }) => {
  const link = target.closest?.("#results [data-row-link]");
  if (!link) return;
  history.scrollRestoration = "manual";
  history.replaceState(history.state, "", `${link.search || location.pathname}#${link.closest("tr").dataset.log}`);
});
addEventListener("load", () => {
  const link = $(`#results [data-log="${CSS.escape(location.hash.slice(1))}"] [data-row-link]`);
  link?.scrollIntoView({ block: "center" });
  link?.focus({ preventScroll: true });
});

// A click anywhere on a row opens its log, unless it meets a link, a control or selected text.
const rowLink = ({ target }) => {
  const row = target.closest?.("[data-rows] tr");
  const isTaken = target.closest?.("a, button, input, label, .select, .actions") || getSelection().type === "Range";
  return row && !isTaken ? $("[data-row-link]", row) : null;
};
on("click", (event) => {
  const link = rowLink(event);
  if (link && (event.ctrlKey || event.metaKey)) open(link.href);
  else link?.click();
});
on("auxclick", (event) => {
  const link = event.button === 1 ? rowLink(event) : null;
  if (link) open(link.href);
});
on("mousedown", (event) => event.button === 1 && rowLink(event) && event.preventDefault()); // else the page would scroll

// A click on a value of a row offers to show only its logs, or to exclude them.
on("click", (event) => {
  const link = event.target.closest?.("[data-exclude]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const menu = $(".value-menu");
  const { exclude, name = link.textContent.trim(), excludedName = name } = link.dataset;
  const choices = [[link.href, name], [exclude, excludedName]];
  for (const [number, item] of $$("a", menu).entries()) {
    item.href = choices[number][0];
    $("span", item).textContent = item.dataset.text.replace("{value}", () => choices[number][1]);
  }
  menu.togglePopover(true);
  const box = link.getBoundingClientRect();
  const isBelow = box.bottom + menu.offsetHeight < innerHeight;
  menu.style.top = `${scrollY + (isBelow ? box.bottom : box.top - menu.offsetHeight)}px`;
  menu.style.left = `${Math.min(box.left, document.documentElement.clientWidth - menu.offsetWidth - 8)}px`;
  $("a", menu).focus({ preventScroll: true });
});

// Marks what was searched for in the texts of the rows, without changing the page.
const mark = () => {
  const ranges = [];
  const region = $("[data-marks]");
  const walker = region && document.createTreeWalker(region, NodeFilter.SHOW_TEXT);
  while (walker?.nextNode()) {
    const { data } = walker.currentNode;
    const folded = data.normalize("NFD").replace(/\p{M}/gu, "");
    const text = folded.length === data.length ? folded : data;
    for (const { 0: found, index } of text.matchAll(new RegExp(region.dataset.marks, "giu"))) {
      const range = new Range();
      range.setStart(walker.currentNode, index);
      range.setEnd(walker.currentNode, index + found.length);
      ranges.push(range);
    }
  }
  CSS.highlights?.set("found", new Highlight(...ranges));
  for (const range of ranges) {
    const cell = range.startContainer.parentElement.closest("td, th"); // which cuts what is too long
    const hidden = range.getBoundingClientRect().right - cell.getBoundingClientRect().right + 16;
    if (hidden > 0 && !cell.scrollLeft) cell.scrollLeft = hidden;
  }
};
mark();
on("htmx:afterSettle", mark);

// Dragging across the bars selects their time range.
const MIN_DRAG = 4; // px
let drag = null;

const barsBetween = ({ chart, from, to }) => {
  const box = chart.getBoundingClientRect();
  const bars = $$("a", chart);
  const at = (x) => Math.max(0, Math.min(bars.length - 1, Math.floor(((x - box.left) / box.width) * bars.length)));
  return [at(Math.min(from, to)), at(Math.max(from, to)), bars];
};
const drawRange = () => {
  const [first, last, bars] = barsBetween(drag);
  const width = drag.chart.viewBox.baseVal.width / bars.length;
  const range = $(".selected-range", drag.chart);
  range.setAttribute("x", first * width);
  range.setAttribute("width", (last - first + 1) * width);
};
const endDrag = () => {
  if (drag) $(".selected-range", drag.chart).setAttribute("width", 0);
  drag = null;
};
const zoom = () => {
  const [first, last, bars] = barsBetween(drag);
  const param = (bar, name) => new URL(bar.href.baseVal, location).searchParams.get(name);
  const form = $("#zoom");
  form.elements.since.value = param(bars[first], "since");
  form.elements.until.value = param(bars[last], "until");
  form.requestSubmit();
};

on("pointerdown", (event) => {
  const chart = event.button === 0 && event.target.closest?.("[data-range-select]");
  if (chart) drag = { chart, from: event.clientX, to: event.clientX, isWide: false };
});
on("pointermove", (event) => {
  if (!drag) return;
  drag.to = event.clientX;
  drag.isWide ||= Math.abs(drag.to - drag.from) >= MIN_DRAG;
  if (drag.isWide) drawRange();
});
on("pointerup", () => {
  if (drag?.isWide) {
    zoom();
    drag.chart.addEventListener("click", (event) => event.preventDefault(), { once: true, capture: true });
  }
  endDrag();
});
on("pointercancel", endDrag);
on("keydown", ({ key }) => key === "Escape" && endDrag());
// Don't focus or drag the link.
on("mousedown", (event) => event.target.closest?.("[data-range-select]") && event.preventDefault());
