// Filters, which are kept in the URL; opening everything for print; the theme. Without this script, the page shows everything.
"use strict";
(() => {
  const root = document.documentElement;
  const $ = (id) => document.getElementById(id);

  // The theme: that of the system until the reader chooses one.
  const theme = $("theme");
  const remember = (name) => {
    try {
      if (name) localStorage.setItem("usine-theme", name);
      return localStorage.getItem("usine-theme");
    } catch {
      return name; // the browser stores nothing for a local file
    }
  };
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const showTheme = () => {
    theme.textContent = isDark() ? "Light theme" : "Dark theme";
  };
  const kept = remember();
  if (kept === "dark" || kept === "light") root.dataset.theme = kept;
  theme.hidden = false;
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remember(root.dataset.theme);
    showTheme();
  });
  system.addEventListener("change", showTheme);
  showTheme();

  // In print, everything is open.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const each of closed) each.open = true;
  });
  addEventListener("afterprint", () => {
    for (const each of closed) each.open = false;
    closed = [];
  });

  const form = $("filters");
  if (!form) return;
  const objects = [...document.querySelectorAll(".object")].map((element) => ({
    element,
    group: element.closest(".system"),
    tenant: element.closest(".tenant"),
    words: "",
  }));
  const groups = [...document.querySelectorAll(".tenant, .system")];
  const tenants = groups.filter((element) => element.matches(".tenant"));
  const opened = new Set(tenants.filter((element) => element.open));
  const number = new Intl.NumberFormat("en");
  const total = objects.length;
  // With more matches, open tenants would hide the results.
  const FEW = 200;

  const wanted = () => {
    const data = new FormData(form);
    return {
      q: data.get("q").trim().toLowerCase(),
      tenant: data.get("tenant"),
      system: new Set(data.getAll("system")),
      action: new Set(data.getAll("action")),
    };
  };

  // The texts are read at the first search, so that loading the page stays fast.
  const says = (object, text) => {
    const others = object.tenant.querySelector(".others")?.textContent ?? "";
    object.words ||= `${object.element.dataset.tenant} ${others} ${object.element.textContent}`.replace(/\s+/g, " ").toLowerCase();
    return object.words.includes(text);
  };

  const matches = (object, { q, tenant, system, action }) => {
    const { dataset } = object.element;
    return (
      (!tenant || dataset.tenant === tenant) &&
      (!system.size || system.has(dataset.system)) &&
      (!action.size || action.has(dataset.action)) &&
      (!q || says(object, q))
    );
  };

  const filter = () => {
    const want = wanted();
    const active = Boolean(want.q || want.tenant || want.system.size || want.action.size);
    const populated = new Set();
    let shown = 0;
    for (const object of objects) {
      const match = matches(object, want);
      object.element.hidden = !match;
      if (match) {
        shown += 1;
        populated.add(object.group).add(object.tenant);
      }
    }
    for (const group of groups) group.hidden = !populated.has(group);
    for (const tenant of tenants) tenant.open = active && shown <= FEW ? true : opened.has(tenant);
    $("none").hidden = shown > 0;
    $("shown").textContent =
      shown === total ? `${number.format(total)} objects` : `${number.format(shown)} of ${number.format(total)} objects`;
  };

  const toAddress = () => {
    const words = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value.trim()) words.append(name, value.trim());
    history.replaceState(null, "", words.size ? `#${words}` : location.pathname + location.search);
  };

  const fromAddress = () => {
    const words = new URLSearchParams(location.hash.slice(1));
    if (location.hash && !["q", "tenant", "system", "action"].some((name) => words.has(name))) return false;
    form.elements.q.value = words.get("q") ?? "";
    form.elements.tenant.value = words.get("tenant") ?? "";
    if (form.elements.tenant.selectedIndex < 0) form.elements.tenant.value = "";
    for (const box of form.querySelectorAll("input[type=checkbox]")) {
      box.checked = words.getAll(box.name).includes(box.value);
    }
    return true;
  };

  let waiting;
  const changed = () => {
    clearTimeout(waiting);
    toAddress();
    filter();
  };
  form.addEventListener("change", changed);
  form.addEventListener("input", (event) => {
    if (event.target.type !== "search") return;
    clearTimeout(waiting);
    waiting = setTimeout(changed, 150);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    changed();
  });
  form.addEventListener("reset", () => setTimeout(changed));
  addEventListener("hashchange", () => {
    if (!fromAddress()) return;
    filter();
    $("objects").scrollIntoView();
  });

  const setOpen = (open) => {
    for (const { element } of objects) if (!element.hidden) element.open = open;
    for (const tenant of tenants) {
      if (tenant.hidden) continue;
      tenant.open = open;
      if (open) opened.add(tenant);
      else opened.delete(tenant);
    }
  };
  $("open").addEventListener("click", () => setOpen(true));
  $("close").addEventListener("click", () => setOpen(false));
  for (const tenant of tenants) {
    tenant.querySelector("summary").addEventListener("click", () => {
      if (tenant.open) opened.delete(tenant);
      else opened.add(tenant);
    });
  }

  form.hidden = false;
  form.parentElement.classList.add("filtered");
  fromAddress();
  filter();
})();
