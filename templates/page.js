"use strict";
(() => {
  const finder = document.getElementById("finder");
  const box = document.getElementById("find");
  const found = document.getElementById("found");
  const isServed = finder.tagName === "FORM";
  const part = (id, page = document) => page.getElementById(id);
  const find = () => {
    const rows = [...document.querySelectorAll("tbody tr")];
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    found.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
  };
  finder.hidden = false;
  box.addEventListener("input", find);
  if (!isServed) return;

  const take = async (address, ids) => {
    const answer = await fetch(address, { cache: "no-store" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ids) {
      if (part(id) && part(id, page)) part(id).replaceWith(document.adoptNode(part(id, page)));
    }
  };
  let typing = 0;
  let asked = box.value.trim();
  const ask = async () => {
    const text = box.value.trim();
    if (text === asked) return;
    asked = text;
    try {
      if (text) await take(`/?q=${encodeURIComponent(text)}`, ["answers"]);
      else part("answers").replaceChildren();
    } catch {
      found.textContent = "The server does not answer.";
    }
  };
  box.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(ask, 300);
  });
  const isRead = () => !document.getSelection().isCollapsed || part("tables").contains(document.activeElement);
  setInterval(async () => {
    if (document.hidden || isRead() || !part("arrived")) return;
    try {
      await take("/", ["tables", "time"]);
      find();
    } catch {
      found.textContent = "The server does not answer.";
    }
  }, 30000);
})();
