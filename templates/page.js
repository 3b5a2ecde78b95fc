"use strict";
(() => {
  const box = document.getElementById("find");
  const rows = [...document.querySelectorAll("tbody tr")];
  const found = document.getElementById("found");
  document.getElementById("finder").hidden = false;
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    found.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
  });
})();
