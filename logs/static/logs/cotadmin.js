// What the pages do beyond HTML and htmx. Everything works without it, only less comfortably. Texts stand in base.html.
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

  // The server shows times in this zone, from the next page on.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && !document.cookie.split("; ").includes(`timezone=${zone}`)) keep("timezone", zone);

  // Confirmation: one dialog for all.
  const confirmed = new WeakSet();
  const ask = (source, text, onYes) => {
    const dialog = $("#confirm");
    const title = $("h2", dialog);
    const yes = $("[value=yes]", dialog);
    title.textContent = source.dataset.confirmTitle || title.dataset.default;
    $("p", dialog).textContent = text;
    yes.textContent = source.dataset.confirmAction || yes.dataset.default;
    yes.dataset.kind = source.dataset.confirmKind || "primary";
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

  // Errors of htmx requests: a toast that offers to try again.
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
    if (elt.matches("[data-poll]")) return; // the next poll is the retry
    const texts = $("#toasts").dataset;
    const silent = requestConfig?.verb === "get" ? texts.silent : texts.unsure; // what was sent may have been done
    const text = !xhr?.status ? silent : xhr.status === 403 ? texts.forbidden : texts.refused;
    const target = requestConfig?.target;
    const again = () => htmx.ajax(requestConfig.verb, requestConfig.path, { source: elt, target }).catch(() => {}); // comes here again
    toast(text, requestConfig && again);
  };
  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) document.addEventListener(name, failed);

  // What is being loaded again says so, and dims. A poll goes on quietly.
  for (const [name, isBusy] of [["htmx:beforeSend", true], ["htmx:afterRequest", false]]) {
    document.addEventListener(name, ({ detail }) => {
      if (!detail.elt.matches("[data-poll]")) detail.target?.setAttribute("aria-busy", isBusy);
    });
  }

  // A hidden page does not poll.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && event.detail.elt.matches("[data-poll]")) event.preventDefault();
  });

  // Ages, or exact times.
  let showsExactTimes = false;
  const showTimes = () => {
    for (const time of document.querySelectorAll("time[data-absolute]")) {
      time.dataset.relative ??= time.textContent;
      time.textContent = showsExactTimes ? time.dataset.absolute : time.dataset.relative;
    }
  };

  // After a swap: tell what is there now, and go to the first row that came.
  let waitingForRows = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const row = event.detail.target;
    waitingForRows = row.id === "more" ? row.previousElementSibling : null;
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (showsExactTimes) showTimes();
    if (waitingForRows) {
      $("a", waitingForRows.nextElementSibling || waitingForRows)?.focus();
      waitingForRows = null;
    } else if (event.detail.elt.id === "results") {
      const text = $("#results [data-announce]")?.textContent;
      if (text) announce(text);
    }
  });

  // Copying.
  const addressOfValue = (button) => {
    const pointer = button.parentElement.querySelector(".k").dataset.copy;
    return button.closest("[data-values]").dataset.values + encodeURIComponent(pointer);
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
      announce($("#announcer").dataset.copied);
      setTimeout(() => delete button.dataset.copied, 1500);
    } catch {
      if (button.href) location.assign(button.href);
      else toast($("#toasts").dataset.uncopied);
    }
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy], [data-copy-from], [data-copy-url], [data-copy-value], [data-opens], [data-theme-switch]");
    if (!button) return;
    if (button.dataset.opens) {
      $("[popover]:popover-open")?.hidePopover();
      $(`#${button.dataset.opens}`).showModal();
    } else if (button.hasAttribute("data-theme-switch")) {
      const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = isDark ? "light" : "dark";
      keep("theme", root.dataset.theme);
    } else if (!event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      copy(button);
    }
  });
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-shortcuts-switch]")) return;
    root.dataset.shortcuts = event.target.checked ? "on" : "off";
    keep("shortcuts", root.dataset.shortcuts);
  });

  // Keyboard.
  const move = (step) => {
    const links = [...document.querySelectorAll("[data-rows] [data-row-link]")];
    if (!links.length) return;
    const at = links.indexOf(document.activeElement);
    links[Math.max(0, Math.min(links.length - 1, at < 0 ? 0 : at + step))].focus();
  };
  const toggleTimes = () => {
    showsExactTimes = !showsExactTimes;
    showTimes();
  };
  const keys = {
    "/": () => $("[data-search]")?.focus(),
    "?": () => $("#shortcuts").showModal(),
    "[": () => $("a[rel=prev]")?.click(),
    "]": () => $("a[rel=next]")?.click(),
    j: () => move(1),
    k: () => move(-1),
    r: () => $("[data-shortcut=r]")?.click(),
    u: toggleTimes,
  };
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
    const isBracket = "[]".includes(event.key); // a Spanish keyboard of a Mac has them on Option
    if (root.dataset.shortcuts === "off" || event.ctrlKey || event.metaKey || (event.altKey && !isBracket)) return;
    if (isTyping || $("dialog[open]") || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
})();
