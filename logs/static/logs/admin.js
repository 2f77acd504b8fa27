// Names for what Django's scripts build on the admin's pages.
function nameParts() {
  for (const icon of document.querySelectorAll("span.help-tooltip[aria-label]")) icon.setAttribute("role", "img");
  for (const select of document.querySelectorAll("select.admin-autocomplete")) {
    const label = select.labels[0]?.textContent.trim().replace(/:$/, "");
    for (const part of select.parentElement.querySelectorAll(".select2 [role=combobox], .select2 [role=textbox]")) {
      if (label) part.setAttribute("aria-label", label);
    }
  }
}

// Django's own are built in this event, or when jQuery is ready: what is asked of jQuery last runs last.
addEventListener("load", () => (window.django?.jQuery ?? setTimeout)(nameParts));
