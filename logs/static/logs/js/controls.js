// Times, copying, theme, shortcuts and pop-ups.
import { $, $$, announce, on, showToast } from "./dialogs.js";

const root = document.documentElement;
const setCookie = (name, value) => {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=lax${secure}`;
};

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.split("; ").includes(`timezone=${zone}`)) setCookie("timezone", zone);

if (zone && zone !== "UTC") {
  const local = new Intl.DateTimeFormat(root.lang, { dateStyle: "medium", timeStyle: "long" });
  for (const time of $$("time[data-utc]")) {
    time.append(` (${local.format(new Date(time.dateTime))})`);
  }
}

const toggleTimes = () => {
  const isExact = root.dataset.times !== "exact";
  root.dataset.times = isExact ? "exact" : "";
  setCookie("times", root.dataset.times);
  for (const time of $$("time[data-absolute]")) {
    time.dataset.relative ??= time.textContent;
    time.textContent = isExact ? time.dataset.absolute : time.dataset.relative;
  }
};

setInterval(() => {
  for (const time of $$("[data-countdown] time")) {
    time.dataset.relative = (time.dataset.relative ?? time.textContent).replace(/\d+/, (seconds) => Math.max(0, seconds - 1));
    if (root.dataset.times !== "exact") time.textContent = time.dataset.relative;
  }
}, 1000);

const valueUrl = (button) =>
  button.closest("[data-value-url]").dataset.valueUrl + encodeURIComponent(button.previousElementSibling.dataset.copy);
const textToCopy = async (button) => {
  if (button.dataset.copy !== undefined) return button.dataset.copy;
  if (button.dataset.copyFrom) return $(button.dataset.copyFrom).textContent;
  const response = await fetch(button.dataset.copyUrl ?? valueUrl(button), { headers: { Accept: "text/plain, application/json" } });
  if (!response.ok) throw new Error(response.status);
  return response.text();
};
const copy = async (button) => {
  try {
    await navigator.clipboard.writeText(await textToCopy(button));
    button.dataset.copied = "";
    announce($("#announcer").dataset.textCopied);
    setTimeout(() => delete button.dataset.copied, 1500);
  } catch {
    if (button.href) location.assign(button.href);
    else showToast($("#toasts").dataset.textCopyFailed);
  }
};

const toggleTheme = () => {
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  setCookie("theme", root.dataset.theme);
};
on("click", (event) => {
  const button = event.target.closest(
    "[data-copy], [data-copy-from], [data-copy-url], [data-copy-value], [data-opens-dialog], [data-theme-toggle]",
  );
  if (!button) return;
  if (button.dataset.opensDialog) {
    $("[popover]:popover-open")?.hidePopover();
    $(`#${button.dataset.opensDialog}`).showModal();
  } else if (button.matches("[data-theme-toggle]")) toggleTheme();
  else if (!event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    copy(button);
  }
});

const pending = {}; // modules
const loadModule = ({ target }) => {
  const url = target.closest("[data-lazy-module]")?.dataset.lazyModule;
  if (url) pending[url] ??= import(url).catch(() => {});
};
for (const name of ["focusin", "change"]) on(name, loadModule); // Safari doesn't focus checkboxes

const row = () => document.activeElement.closest("[data-rows] tr");
const moveRow = (step) => {
  const links = $$("[data-rows] [data-row-link]");
  if (!links.length) return;
  const index = links.findIndex((link) => link.closest("tr") === row());
  links[Math.max(0, Math.min(links.length - 1, index < 0 ? 0 : index + step))].focus();
};
const selectRow = ({ shiftKey }) =>
  row()?.querySelector("[name=log]")?.dispatchEvent(new MouseEvent("click", { bubbles: true, shiftKey }));
const selectAll = async () => {
  const rows = $("[data-rows]");
  if (!rows) return;
  loadModule({ target: rows });
  await Promise.all(Object.values(pending));
  $("[data-select-all]")?.click();
};
const shortcuts = {
  "/": () => $("[data-search]")?.focus(),
  "?": () => $("#shortcuts").showModal(),
  "[": () => $("a[rel=prev]")?.click(),
  "]": () => $("a[rel=next]")?.click(),
  j: () => moveRow(1),
  k: () => moveRow(-1),
  r: () => $("[data-shortcut=r]")?.checkVisibility() && $("[data-shortcut=r]").click(),
  u: toggleTimes,
  x: selectRow,
  X: selectRow,
  A: selectAll,
  Escape: () => $("#bulk-bar")?.reset(),
  g() {}, // the next key says where to go
};
const GO_TIMEOUT = 1500; // ms
let goUntil = 0;
const shortcutFor = ({ key, timeStamp }) => {
  const isGoing = timeStamp < goUntil && key.length === 1;
  goUntil = key === "g" && !isGoing ? timeStamp + GO_TIMEOUT : 0;
  return isGoing ? () => $(`[data-go="${CSS.escape(key)}"]`)?.click() : shortcuts[key];
};
on("keydown", async (event) => {
  const isTyping = event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
  const isBracket = "[]".includes(event.key); // typed with Option on Spanish keyboards
  if (root.dataset.shortcuts === "off" || event.ctrlKey || event.metaKey || (event.altKey && !isBracket)) return;
  if (isTyping || $("dialog[open], :popover-open, .popover[open]")) return;
  const shortcut = shortcutFor(event);
  if (!shortcut) return;
  event.preventDefault();
  await Promise.all(Object.values(pending));
  shortcut(event);
});
on("keydown", ({ key, ctrlKey, metaKey, target }) => {
  if (key !== "Enter" || !(ctrlKey || metaKey) || $("dialog[open]")) return;
  // On a link or another button it has a meaning of its own: to open a tab must not send anything.
  if (!target.closest("a, summary, button:not(#plan-start)")) $("[data-ctrl-enter] #plan-start:enabled")?.click();
});
on("keydown", (event) => {
  const palette = $("#palette");
  const isCtrlK = event.key === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
  if (!isCtrlK || !palette || root.dataset.shortcuts === "off" || $("dialog[open]:not(#palette)")) return;
  event.preventDefault();
  if (palette.open) palette.close();
  else palette.showModal();
});
on("change", (event) => {
  if (!event.target.matches("[data-shortcuts-toggle]")) return;
  root.dataset.shortcuts = event.target.checked ? "on" : "off";
  setCookie("shortcuts", root.dataset.shortcuts);
});

// After the shortcuts, which ignore Escape while a pop-up is open.
const close = (except) => {
  for (const popover of $$(".popover[open]")) if (!popover.contains(except)) popover.open = false;
};
on("click", ({ target }) => close(target));
on("keydown", ({ key }) => key === "Escape" && close(null));
