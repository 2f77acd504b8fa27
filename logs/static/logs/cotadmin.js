// What pages do beyond HTML and htmx. Every page also works without it. The texts are in base.html.
(() => {
  "use strict";
  const root = document.documentElement;
  const $ = (selector, within = document) => within.querySelector(selector);
  const keep = (name, value) => {
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=lax${secure}`;
  };
  const announce = (text) => {
    const announcer = $("#announcer");
    announcer.textContent = "";
    requestAnimationFrame(() => (announcer.textContent = text));
  };

  // The time zone from the next page on, unless the person has chosen another.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && !document.cookie.split("; ").includes(`timezone=${zone}`)) keep("timezone", zone);

  // Where the server wrote UTC, add the local time.
  if (zone && zone !== "UTC") {
    const local = new Intl.DateTimeFormat(root.lang, { dateStyle: "medium", timeStyle: "long" });
    for (const time of document.querySelectorAll("time[data-utc]")) {
      time.append(` (${local.format(new Date(time.dateTime))})`);
    }
  }

  // Confirmation: all questions use one dialog.
  const confirmed = new WeakSet();
  const ask = (source, text, onYes) => {
    const dialog = $("#confirm");
    const title = $("h2", dialog);
    const yes = $("[value=yes]", dialog);
    title.textContent = source.dataset.confirmTitle || title.dataset.defaultText;
    $("p", dialog).textContent = text;
    yes.textContent = source.dataset.confirmAction || yes.dataset.defaultText;
    yes.dataset.variant = source.dataset.confirmVariant || "primary";
    dialog.returnValue = "";
    dialog.addEventListener("close", () => dialog.returnValue === "yes" && onYes(), { once: true });
    dialog.showModal();
  };
  document.addEventListener("htmx:confirm", (event) => {
    if (!event.detail.question) return;
    event.preventDefault();
    ask(event.detail.elt, event.detail.question, () => event.detail.issueRequest(true));
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.confirm || confirmed.delete(form)) return;
    event.preventDefault();
    ask(form, form.dataset.confirm, () => {
      confirmed.add(form);
      form.requestSubmit(event.submitter);
    });
  });

  // A failed request shows a toast, which offers to try again.
  const toast = (text, retry) => {
    const element = $("#toast").content.firstElementChild.cloneNode(true);
    $("div", element).textContent = text;
    const again = $("[data-retry]", element);
    if (retry) again.addEventListener("click", () => (element.remove(), retry()));
    else again.remove();
    $("[data-close]", element).addEventListener("click", () => element.remove());
    $("#toasts").replaceChildren(element);
  };
  const failed = (event) => {
    const { elt, xhr, requestConfig } = event.detail;
    if (elt.matches("[data-live-tail]")) {
      elt.remove();
      $("#live-tail-stopped").hidden = false;
      return;
    }
    if (elt.matches("[data-poll], [data-silent]")) return; // the next poll is the retry
    const texts = $("#toasts").dataset;
    const silent = requestConfig?.verb === "get" ? texts.textNoResponse : texts.textUnknownOutcome; // it may have been done
    const text = !xhr?.status ? silent : ({ 403: texts.textForbidden, 429: texts.textBusy, 503: texts.textUnavailable }[xhr.status] ?? texts.textError);
    const target = requestConfig?.target;
    const again = () => htmx.ajax(requestConfig.verb, requestConfig.path, { source: elt, target }).catch(() => {});
    toast(text, requestConfig && again);
  };
  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) document.addEventListener(name, failed);

  // Dim what is being reloaded.
  for (const [name, isBusy] of [["htmx:beforeSend", true], ["htmx:afterRequest", false]]) {
    document.addEventListener(name, ({ detail }) => {
      if (!detail.elt.matches("[data-poll], [data-silent]")) detail.target?.setAttribute("aria-busy", isBusy);
    });
  }

  // Keep empty fields out of URLs.
  document.addEventListener("htmx:configRequest", ({ detail: { verb, formData } }) => {
    if (verb === "get") for (const [name, value] of [...formData]) if (value === "") formData.delete(name);
  });

  // A hidden page does not poll.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && event.detail.elt.matches("[data-poll]")) event.preventDefault();
  });

  // Relative or exact times.
  const toggleTimes = () => {
    const isExact = root.dataset.times !== "exact";
    root.dataset.times = isExact ? "exact" : "";
    keep("times", root.dataset.times);
    for (const time of document.querySelectorAll("time[data-absolute]")) {
      time.dataset.relative ??= time.textContent;
      time.textContent = isExact ? time.dataset.absolute : time.dataset.relative;
    }
  };

  // A list loads more while scrolling, a few times.
  const MOST_BY_ITSELF = 3;
  const atItsEnd = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) continue;
        atItsEnd.unobserve(target);
        htmx.trigger(target, "near");
      }
    },
    { rootMargin: "300px" },
  );
  let timesByItself = 0;
  const watchTheEnd = () => {
    const more = $("[data-load-more]");
    if (more && timesByItself < MOST_BY_ITSELF) atItsEnd.observe(more);
  };
  watchTheEnd();

  // After a swap, announce the results or focus the first new row.
  let waitingForRows = null;
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const { target, requestConfig } = detail;
    // Don't replace a form while a dialog asks about it.
    if ($("#confirm[open]") && requestConfig.elt.matches("[data-poll]")) detail.shouldSwap = false;
    const isByItself = requestConfig.triggeringEvent?.type === "near";
    if (isByItself) timesByItself++;
    else if (target.id === "results") timesByItself = 0; // another list
    waitingForRows = target.matches("#load-more, li:has(> .show-more)") && !isByItself ? target.previousElementSibling : null;
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    watchTheEnd();
    if (waitingForRows) {
      $("[data-row-link], summary, .key", waitingForRows.nextElementSibling || waitingForRows)?.focus();
      waitingForRows = null;
    } else if (event.detail.elt.id === "results") {
      const text = $("#results [data-announce]")?.textContent;
      if (text) announce(text);
    }
  });

  // Replacing a region keeps scroll and focus.
  let pressed = null; // its request disables it, so it loses the focus
  let kept = null;
  document.addEventListener("htmx:beforeRequest", ({ detail: { elt } }) => {
    pressed = elt.contains(document.activeElement) ? document.activeElement : null;
  });
  document.addEventListener("htmx:beforeSwap", ({ detail: { target } }) => {
    const focused = [document.activeElement, pressed?.disabled && pressed].find((element) => element && target.contains(element));
    const parts = [...target.querySelectorAll("[data-anchor]")];
    const part = parts.find((item) => item.contains(focused)) ?? parts.find((item) => item.getBoundingClientRect().bottom > 0);
    kept = part && { top: part.getBoundingClientRect().top, part: part.id, focused: focused?.id, region: target.id };
  });
  document.addEventListener("htmx:afterSwap", () => {
    if (!kept) return;
    const [part, focused, region] = [kept.part, kept.focused, kept.region].map((id) => document.getElementById(id));
    if (part && scrollY) scrollBy(0, part.getBoundingClientRect().top - kept.top);
    if (kept.focused !== undefined && document.activeElement === document.body) (focused ?? part ?? region).focus({ preventScroll: true });
    kept = null;
  });

  // A countdown continues between two polls.
  setInterval(() => {
    for (const time of document.querySelectorAll("[data-countdown] time")) {
      time.dataset.relative = (time.dataset.relative ?? time.textContent).replace(/\d+/, (seconds) => Math.max(0, seconds - 1));
      if (root.dataset.times !== "exact") time.textContent = time.dataset.relative;
    }
  }, 1000);

  const addressOfValue = (button) => {
    const pointer = button.previousElementSibling.dataset.copy;
    return button.closest("[data-value-url]").dataset.valueUrl + encodeURIComponent(pointer);
  };
  const textToCopy = async (button) => {
    if (button.dataset.copy !== undefined) return button.dataset.copy;
    if (button.dataset.copyFrom) return $(button.dataset.copyFrom).textContent;
    const answer = await fetch(button.dataset.copyUrl ?? addressOfValue(button), { headers: { Accept: "text/plain, application/json" } });
    if (!answer.ok) throw new Error(answer.status);
    return answer.text();
  };
  const copy = async (button) => {
    try {
      await navigator.clipboard.writeText(await textToCopy(button));
      button.dataset.copied = "";
      announce($("#announcer").dataset.textCopied);
      setTimeout(() => delete button.dataset.copied, 1500);
    } catch {
      if (button.href) location.assign(button.href);
      else toast($("#toasts").dataset.textCopyFailed);
    }
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy], [data-copy-from], [data-copy-url], [data-copy-value], [data-opens-dialog], [data-theme-toggle]");
    if (!button) return;
    if (button.dataset.opensDialog) {
      $("[popover]:popover-open")?.hidePopover();
      $(`#${button.dataset.opensDialog}`).showModal();
    } else if (button.hasAttribute("data-theme-toggle")) {
      const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = isDark ? "light" : "dark";
      keep("theme", root.dataset.theme);
    } else if (!event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      copy(button);
    }
  });
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-shortcuts-toggle]")) return;
    root.dataset.shortcuts = event.target.checked ? "on" : "off";
    keep("shortcuts", root.dataset.shortcuts);
  });

  // Load a control's script when it gets the focus.
  const loading = {};
  const load = ({ target }) => {
    const src = target.closest("[data-lazy-module]")?.dataset.lazyModule;
    if (src) loading[src] ??= new Promise((onload) => document.head.append(Object.assign(document.createElement("script"), { src, onload, onerror: onload })));
  };
  for (const name of ["focusin", "change"]) document.addEventListener(name, load); // Safari doesn't focus checkboxes

  const rowInFocus = () => document.activeElement.closest("[data-rows] tr");
  const move = (step) => {
    const links = [...document.querySelectorAll("[data-rows] [data-row-link]")];
    if (!links.length) return;
    const at = links.findIndex((link) => link.closest("tr") === rowInFocus());
    links[Math.max(0, Math.min(links.length - 1, at < 0 ? 0 : at + step))].focus();
  };
  const pick = ({ shiftKey }) =>
    rowInFocus()?.querySelector("[name=log]")?.dispatchEvent(new MouseEvent("click", { bubbles: true, shiftKey }));
  const keys = {
    "/": () => $("[data-search]")?.focus(),
    "?": () => $("#shortcuts").showModal(),
    "[": () => $("a[rel=prev]")?.click(),
    "]": () => $("a[rel=next]")?.click(),
    j: () => move(1),
    k: () => move(-1),
    r: () => $("[data-shortcut=r]")?.checkVisibility() && $("[data-shortcut=r]").click(),
    u: toggleTimes,
    x: pick,
    X: pick,
    Escape: () => $("#bulk-bar")?.reset(),
  };
  document.addEventListener("keydown", async (event) => {
    const isTyping = event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
    const isBracket = "[]".includes(event.key); // typed with Option on Spanish keyboards
    if (root.dataset.shortcuts === "off" || event.ctrlKey || event.metaKey || (event.altKey && !isBracket)) return;
    if (isTyping || $("dialog[open], :popover-open, .popover[open]") || !keys[event.key]) return;
    event.preventDefault();
    await Promise.all(Object.values(loading));
    keys[event.key](event);
  });

  // A range replaces a custom start and end, before htmx reads the form.
  document.addEventListener(
    "change",
    ({ target }) => {
      if (!target.matches("[data-range-choice]")) return;
      for (const moment of document.querySelectorAll("#range [type=hidden]")) moment.disabled = true;
    },
    true,
  );

  // Facets stay open after a swap.
  const opened = new Map();
  document.addEventListener("click", ({ target }) => {
    const facet = target.closest(".facet > summary")?.parentElement;
    if (facet) opened.set(facet.id, !facet.open);
  });
  document.addEventListener("htmx:afterSettle", () => {
    for (const [id, isOpen] of opened) {
      const facet = document.getElementById(id);
      if (facet && facet.open !== isOpen) facet.open = isOpen;
    }
  });

  // A cached page may show numbers of other choices.
  addEventListener("pageshow", (event) => event.persisted && $("#plan-choices")?.dispatchEvent(new Event("change")));

  // Back returns to the row that was opened.
  document.addEventListener("click", ({ target }) => {
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

  // Dragging across bars selects their time range.
  const LEAST = 4; // px
  let drag = null;
  const barsBetween = ({ chart, from, to }) => {
    const box = chart.getBoundingClientRect();
    const bars = [...chart.querySelectorAll("a")];
    const at = (x) => Math.max(0, Math.min(bars.length - 1, Math.floor(((x - box.left) / box.width) * bars.length)));
    return [at(Math.min(from, to)), at(Math.max(from, to)), bars];
  };
  const draw = () => {
    const [first, last, bars] = barsBetween(drag);
    const width = drag.chart.viewBox.baseVal.width / bars.length;
    const band = drag.chart.querySelector(".selected-range");
    band.setAttribute("x", first * width);
    band.setAttribute("width", (last - first + 1) * width);
  };
  const end = () => {
    drag.chart.querySelector(".selected-range").setAttribute("width", 0);
    drag = null;
  };
  const zoom = () => {
    const [first, last, bars] = barsBetween(drag);
    const param = (bar, name) => new URL(bar.href.baseVal, location).searchParams.get(name);
    const form = document.getElementById("zoom");
    form.elements.since.value = param(bars[first], "since");
    form.elements.until.value = param(bars[last], "until");
    form.requestSubmit();
  };
  document.addEventListener("pointerdown", (event) => {
    const chart = event.button === 0 && event.target.closest?.("[data-range-select]");
    if (chart) drag = { chart, from: event.clientX, to: event.clientX, isWide: false };
  });
  document.addEventListener("pointermove", (event) => {
    if (!drag) return;
    drag.to = event.clientX;
    drag.isWide ||= Math.abs(drag.to - drag.from) >= LEAST;
    if (drag.isWide) draw();
  });
  document.addEventListener("pointerup", () => {
    if (!drag) return;
    const { chart, isWide } = drag;
    if (isWide) {
      zoom();
      chart.addEventListener("click", (event) => event.preventDefault(), { once: true, capture: true });
    }
    end();
  });
  document.addEventListener("pointercancel", () => drag && end());
  // Don't focus the link, and don't start dragging it.
  document.addEventListener("mousedown", (event) => event.target.closest?.("[data-range-select]") && event.preventDefault());

  // Escape or a click elsewhere closes pop-ups. Escape also ends a drag.
  const close = (but) => {
    for (const popup of document.querySelectorAll(".popover[open]")) if (!popup.contains(but)) popup.open = false;
  };
  document.addEventListener("click", ({ target }) => close(target));
  document.addEventListener("keydown", ({ key }) => key === "Escape" && (close(null), drag && end()));
})();
