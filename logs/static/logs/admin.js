// Accessible names for the elements that Django's scripts create on admin pages.
function nameParts() {
  for (const icon of document.querySelectorAll("span.help-tooltip[aria-label]")) icon.setAttribute("role", "img");
  for (const select of document.querySelectorAll("select.admin-autocomplete")) {
    const label = select.labels[0]?.textContent.trim().replace(/:$/, "");
    for (const part of select.parentElement.querySelectorAll(".select2 [role=combobox], .select2 [role=textbox]")) {
      if (label) part.setAttribute("aria-label", label);
    }
  }
}

// Django's scripts create them in this event or when jQuery is ready. jQuery runs callbacks in order, so ours is the last.
addEventListener("load", () => (window.django?.jQuery ?? setTimeout)(nameParts));
