// The console's script: fetches the page again when something has changed, and replaces the parts
// that differ. Without it every page and every form still works.
"use strict";

(() => {
  const { base, server, tick } = document.body.dataset;
  const main = document.getElementById("main");
  document.documentElement.classList.add("scripted");

  // Where the navigation scrolls, the current page is in sight.
  const [navigation, current] = document.querySelectorAll("nav.main, nav.main [aria-current]");
  if (current) navigation.scrollLeft = current.offsetLeft - navigation.clientWidth / 2;

  // What a page says after an action is said once.
  const here = new URL(location.href);
  if (here.searchParams.has("done")) {
    here.searchParams.delete("done");
    history.replaceState(null, "", here);
  }

  // Actions that cannot be undone ask first.
  document.addEventListener("submit", (event) => {
    const question = event.submitter?.dataset.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
  });

  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-select-all]")) return;
    const boxes = event.target.form.querySelectorAll("input[type=checkbox][name]");
    for (const box of boxes) box.checked = event.target.checked;
  });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    } catch {
      // Only pages from this machine, or over TLS, may write to the clipboard.
      getSelection().selectAllChildren(source);
    }
  });

  // Replacing what has changed.
  const keyed = (root, selector, key) =>
    new Map([...root.querySelectorAll(selector)].map((element) => [key(element), element]));

  const focusKey = (element) =>
    [element.tagName, element.id, element.name, element.value, element.getAttribute("href"),
      element.getAttribute("aria-label")].join("|");

  const FIELDS = "select, input:not([type=hidden])";
  const isBox = (field) => field.type === "checkbox";
  const fieldKey = (field) =>
    [field.form?.getAttribute("action"), field.name, isBox(field) ? field.value : ""].join("|");

  function initialValue(field) {
    if (!field.options) return field.defaultValue;
    return ([...field.options].find((one) => one.defaultSelected) ?? field.options[0])?.value;
  }

  const isChanged = (field) => isBox(field)
    ? field.checked !== field.defaultChecked
    : field.value !== initialValue(field);

  // What a person has opened, chosen or typed in the old part is so in the fresh one.
  function keep(old, fresh) {
    const opened = keyed(fresh, "details[data-key]", (one) => one.dataset.key);
    for (const one of old.querySelectorAll("details[data-key][open]")) {
      opened.get(one.dataset.key)?.setAttribute("open", "");
    }
    const fields = keyed(fresh, FIELDS, fieldKey);
    for (const one of old.querySelectorAll(FIELDS)) {
      const field = fields.get(fieldKey(one));
      if (!field || !isChanged(one)) continue;
      if (isBox(one)) field.checked = one.checked;
      else field.value = one.value;
      // What was chosen is there no more.
      if (field.selectedIndex === -1) field.value = initialValue(field);
    }
  }

  function isBeingFilledIn(part) {
    const field = document.activeElement;
    return part.contains(field) && field.matches(FIELDS) && !isBox(field);
  }

  // A form that is being filled in stays as it is until it is left.
  let isPutOff = false;
  document.addEventListener("focusout", () => {
    if (!isPutOff) return;
    isPutOff = false;
    // When the next field has the focus.
    setTimeout(refresh);
  });

  function replace(old, fresh) {
    keep(old, fresh);
    if (old.outerHTML === fresh.outerHTML) return;
    if (isBeingFilledIn(old)) { isPutOff = true; return; }
    const focused = old.contains(document.activeElement) ? focusKey(document.activeElement) : null;
    const scrolled = [...old.querySelectorAll(".scroll, pre")].map((one) => [one.scrollLeft, one.scrollTop]);
    old.replaceWith(fresh);
    [...fresh.querySelectorAll(".scroll, pre")].forEach((one, n) => {
      if (scrolled[n]) [one.scrollLeft, one.scrollTop] = scrolled[n];
    });
    if (focused !== null) {
      const again = [...fresh.querySelectorAll("a, button, input, summary, [tabindex]")]
        .find((element) => focusKey(element) === focused);
      (again ?? main).focus({ preventScroll: true });
    }
  }

  // Something is there for the first time, or was for the last. What an action has said stays.
  function replaceAll(fresh) {
    if (isBeingFilledIn(main)) { isPutOff = true; return; }
    keep(main, fresh);
    const notice = main.querySelector("p.notice");
    main.replaceChildren(...fresh.childNodes);
    if (notice) main.querySelector("h1")?.after(notice);
  }

  let running = false;
  let wanted = false;

  async function refresh() {
    if (running) { wanted = true; return; }
    running = true;
    try {
      const asked = location.href;
      const response = await fetch(asked, { headers: { Accept: "text/html" } });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      if (page.body.dataset.server !== server) {
        // The server was started again: the tokens in the forms are those of the old one.
        if (page.body.dataset.server) location.reload();
        return;
      }
      if (location.href !== asked) { wanted = true; return; }
      const parts = keyed(page, "[data-live]", (one) => one.dataset.live);
      const shown = keyed(document, "[data-live]", (one) => one.dataset.live);
      if ([...parts.keys()].join() !== [...shown.keys()].join()) {
        replaceAll(page.getElementById("main"));
        return;
      }
      for (const [name, old] of shown) replace(old, parts.get(name));
    } catch {
      // The server is gone: the stream says so, and asks again.
    } finally {
      running = false;
      if (wanted) { wanted = false; setTimeout(refresh, 100); }
    }
  }

  // Filters act as one types.
  let typed;
  function filter(form) {
    const address = new URL(form.action, location.href);
    for (const [name, value] of new FormData(form)) {
      if (value !== "") address.searchParams.append(name, value);
    }
    history.replaceState(null, "", address);
    refresh();
  }
  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (!form?.matches("[data-filter]")) return;
    clearTimeout(typed);
    typed = setTimeout(filter, 150, form);
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-filter]")) return;
    event.preventDefault();
    clearTimeout(typed);
    filter(event.target);
  });

  // The stream of changes. A page that nobody sees does not listen.
  const live = document.querySelector("[data-live-state]");
  if (!live) return;
  let stream = null;
  let again;

  function show(state, words) {
    if (live.dataset.liveState === state) return;
    live.dataset.liveState = state;
    live.querySelector("[data-live-text]").textContent = words;
  }

  function listen() {
    clearTimeout(again);
    stream?.close();
    stream = new EventSource(`${base}/_mock/events`);
    stream.addEventListener("change", () => {
      show("on", "live");
      // The first event names no change, but between the page and the stream there may have been one.
      refresh();
    });
    stream.addEventListener("error", () => {
      show("lost", "connection lost, trying again");
      stream.close();
      again = setTimeout(listen, 500);
    });
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      clearTimeout(again);
      stream?.close();
      show("off", "paused");
    } else {
      listen();
    }
  });
  window.addEventListener("pagehide", () => stream?.close());
  if (!document.hidden) listen();
  if (tick) setInterval(() => { if (!document.hidden && stream?.readyState === 1) refresh(); }, Number(tick));
})();
