// What pages do beyond links and forms. Nothing in a page depends on it.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");

  // Times: how long ago, and the reader's own zone in the title.
  const ago = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  const full = new Intl.DateTimeFormat(undefined, { dateStyle: "long", timeStyle: "long" });
  const short = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const steps = [["second", 60], ["minute", 60], ["hour", 24], ["day", 30]];
  function relative(at) {
    let n = (at - Date.now()) / 1000;
    if (Math.abs(n) < 5) return "just now";
    for (const [unit, size] of steps) {
      if (Math.abs(n) < size) return ago.format(Math.round(n), unit);
      n /= size;
    }
    return short.format(at);
  }
  function times(within) {
    for (const t of within.querySelectorAll("time[datetime]")) {
      const at = new Date(t.dateTime);
      t.textContent = relative(at);
      t.title = full.format(at);
    }
  }

  // Charts: [data-chart] is the URL of {times, series}.
  const probe = document.createElement("span"); // a canvas knows colours, not properties
  function colour(kind) {
    document.body.append(probe);
    probe.style.color = "var(--chart-" + kind + ")";
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }
  async function draw(box) {
    const answer = await fetch(box.dataset.chart, { headers: { Accept: "application/json" } });
    if (!answer.ok || !box.isConnected) return;
    const data = await answer.json();
    const ink = getComputedStyle(box).color, line = colour("grid");
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const size = () => ({ width: Math.max(box.clientWidth, 200), height: 220 });
    const plot = new uPlot({
      ...size(),
      cursor: { points: { size: 6 } },
      scales: { y: { range: (u, min, max) => [0, Math.max(max * 1.1, 1)] } },
      axes: [axis, { ...axis, size: 48 }],
      series: [{}].concat(data.series.map((s) => ({
        label: s.label, stroke: colour(s.kind), width: 2, points: { show: false },
        value: (u, v) => v == null ? "–" : v.toLocaleString() + (s.unit ? " " + s.unit : ""),
      }))),
    }, [data.times].concat(data.series.map((s) => s.values)), box);
    const resized = new ResizeObserver(() => plot.setSize(size()));
    resized.observe(box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      resized.disconnect();
      plot.destroy();
      draw(box);
    }, { once: true });
  }

  // Copying: [data-copy] is what to copy.
  document.addEventListener("click", async (e) => {
    const button = e.target.closest("[data-copy]");
    if (!button) return;
    const text = button.lastChild, before = text.textContent;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      text.textContent = "Copied";
    } catch {
      text.textContent = "Press Ctrl+C";
      const range = document.createRange();
      range.selectNodeContents(button.previousElementSibling);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
    }
    setTimeout(() => { text.textContent = before; }, 2000);
  });

  // Menus close when one clicks beside them, and on Escape.
  const menus = "details.menu[open], details.switcher[open], details.confirm[open]";
  document.addEventListener("click", (e) => {
    for (const d of document.querySelectorAll(menus)) if (!d.contains(e.target)) d.open = false;
  });
  document.addEventListener("keydown", (e) => {
    if (e.key !== "Escape") return;
    for (const d of document.querySelectorAll(menus)) {
      d.open = false;
      d.querySelector("summary").focus();
    }
  });

  // A form is sent once.
  document.addEventListener("submit", (e) => {
    if (e.target.method !== "post" || e.target.closest("[hx-post]")) return;
    if (e.target.dataset.sent) return e.preventDefault();
    e.target.dataset.sent = "1";
    setTimeout(() => { delete e.target.dataset.sent; }, 5000);
  });

  // Search boxes: [data-filters] chooses a box, of whose labels with [data-text] those stay that have the text.
  document.addEventListener("input", (e) => {
    const box = e.target.closest("[data-filters]");
    if (!box) return;
    e.stopPropagation();
    const wanted = box.value.trim().toLowerCase();
    const within = document.querySelector(box.dataset.filters);
    for (const label of within.querySelectorAll("[data-text]")) label.hidden = !label.dataset.text.toLowerCase().includes(wanted);
    for (const group of within.querySelectorAll("fieldset")) group.hidden = !group.querySelector("[data-text]:not([hidden])");
  }, true);

  // Variables: [data-insert] goes where the cursor is, or was last, in a text of the form that can be seen.
  let written = null;
  document.addEventListener("focusin", (e) => { if (e.target.matches("textarea")) written = e.target; });
  document.addEventListener("click", (e) => {
    const button = e.target.closest("[data-insert]");
    if (!button) return;
    const texts = [...button.closest("section").querySelectorAll("textarea")].filter((t) => t.checkVisibility());
    const into = texts.includes(written) ? written : texts[0];
    if (!into) return;
    let text = button.dataset.insert;
    const at = into.selectionStart;
    if (text.endsWith("\n") && at > 0 && into.value[at - 1] !== "\n") text = "\n" + text.trimEnd();
    into.setRangeText(text, at, into.selectionEnd, "end");
    into.focus();
    into.dispatchEvent(new Event("input", { bubbles: true }));
  });

  function enhance(within) {
    times(within);
    for (const box of within.querySelectorAll("[data-chart]")) draw(box);
  }
  enhance(document);
  document.addEventListener("htmx:load", (e) => { if (e.detail.elt !== document.body) enhance(e.detail.elt); });
  // A feed keeps its newest entries only.
  document.addEventListener("htmx:sseMessage", (e) => {
    const feed = e.target.closest("[data-keep]");
    while (feed && feed.children.length > feed.dataset.keep) feed.lastElementChild.remove();
    if (feed) times(feed);
  });
  setInterval(() => times(document), 30000);
})();
