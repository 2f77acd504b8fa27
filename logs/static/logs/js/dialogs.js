// Announcements, questions and toasts. Their texts are in base.html.
export const $ = (selector, within = document) => within.querySelector(selector);
export const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
export const on = (type, listener, options) => document.addEventListener(type, listener, options);

export const announce = (text) => {
  const announcer = $("#announcer");
  announcer.textContent = "";
  requestAnimationFrame(() => (announcer.textContent = text));
};

const confirmDialog = (source, text, onYes) => {
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

export const showToast = (text, retry) => {
  const toast = $("#toast").content.firstElementChild.cloneNode(true);
  $("div", toast).textContent = text;
  const retryButton = $("[data-retry]", toast);
  if (retry) retryButton.addEventListener("click", () => (toast.remove(), retry()));
  else retryButton.remove();
  $("#toasts").replaceChildren(toast);
};

on("click", (event) => {
  const button = event.target.closest("[data-close]");
  if (!button) return;
  event.preventDefault();
  button.parentElement.remove();
});

on("htmx:confirm", (event) => {
  if (!event.detail.question) return;
  event.preventDefault();
  confirmDialog(event.detail.elt, event.detail.question, () => event.detail.issueRequest(true));
});
const confirmedForms = new WeakSet();
on("submit", (event) => {
  const form = event.target;
  if (!form.dataset.confirm || confirmedForms.delete(form)) return;
  event.preventDefault();
  confirmDialog(form, form.dataset.confirm, () => {
    confirmedForms.add(form);
    form.requestSubmit(event.submitter);
  });
});

const onFailure = (event) => {
  const { elt, xhr, requestConfig } = event.detail;
  if (elt.matches("[data-live-tail]")) {
    elt.remove();
    $("#live-tail-stopped").hidden = false;
    return;
  }
  if (elt.matches("[data-poll], [data-silent]")) return; // the next poll is the retry
  const texts = $("#toasts").dataset;
  const byStatus = { 403: texts.textForbidden, 429: texts.textBusy, 503: texts.textUnavailable };
  let text = requestConfig?.verb === "get" ? texts.textNoResponse : texts.textUnknownOutcome;
  if (xhr?.status) text = byStatus[xhr.status] ?? texts.textError;
  const retry = ({ verb, path, target }) => htmx.ajax(verb, path, { source: elt, target }).catch(() => {});
  showToast(text, requestConfig && (() => retry(requestConfig)));
};
for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) on(name, onFailure);

for (const [name, isBusy] of [["htmx:beforeSend", true], ["htmx:afterRequest", false]]) {
  on(name, ({ detail }) => {
    if (!detail.elt.matches("[data-poll], [data-silent]")) detail.target?.setAttribute("aria-busy", isBusy);
  });
}
