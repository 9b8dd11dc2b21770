// Filters, and the buttons that lead to what is marked.

const form = byId("filters");
const fields = ["query", "accessory", "connection", "characteristic"];

function options(select, all, entries) {
  select.append(new Option(all, ""));
  for (const [value, text] of entries) select.append(new Option(shown(text), value));
  select.disabled = entries.length < 2 && select.id !== "characteristic";
}

function fillFilters() {
  options(byId("accessory"), "all", accessories.map((index) => [index, tables.accessories[index]]));
  options(byId("connection"), "all", tables.connections.map((name, index) => [index, `${letter(index)} ${name}`]));
  const select = byId("characteristic");
  const sorted = [...characteristics.values()].sort((one, other) => one.key.localeCompare(other.key, "en", { numeric: true }));
  select.append(new Option("all", ""));
  for (const index of accessories) {
    const group = make("optgroup");
    group.label = shown(tables.accessories[index]);
    for (const one of sorted) {
      if (one.key.startsWith(`${index}/`)) group.append(new Option(shown(one.plain ? one.id : `${one.name} (${one.id})`), one.key));
    }
    if (group.children.length) select.append(group);
  }
  select.disabled = sorted.length === 0;
}

function applyFilter() {
  for (const name of fields) state.filter[name] = byId(name).value.trim();
  state.filter.query = state.filter.query.toLowerCase();
  byId("reset").disabled = !filtered();
  relayout();
  if (state.selected >= 0) reveal(state.selected);
}

function countShown() {
  const all = rows.length.toLocaleString("en");
  byId("count").textContent = filtered() ? `${state.shownRows.toLocaleString("en")} of ${all} entries` : `${all} ${rows.length === 1 ? "entry" : "entries"}`;
}

// Items do not keep their places: what was selected is found again by what it is.
function relayout() {
  const before = state.items[state.selected];
  const top = topRow();
  measure();
  layOut();
  state.selected = -1;
  if (before) {
    state.selected = state.items.findIndex(
      (item) => item.type === before.type && item.position === before.position && item.fold === before.fold,
    );
    if (state.selected < 0 && before.member) state.selected = state.items.findIndex((item) => item.fold === before.member);
  }
  countShown();
  redraw();
  if (top) {
    const index = state.items.findIndex((item) => item.position >= top.position);
    if (index >= 0) scroller.scrollTop = state.offsets[index] + top.beyond;
    draw();
  }
}

// What is at the upper edge stays there when others come and go.
function topRow() {
  let index = itemAt(scroller.scrollTop);
  if (scroller.scrollTop === 0 || !state.items[index]) return null;
  if (state.items[index].type === "pause") index += 1;
  if (!state.items[index]) return null;
  return { position: state.items[index].position, beyond: scroller.scrollTop - state.offsets[index] };
}

let typing = 0;
byId("query").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(applyFilter, 150);
});
for (const name of fields.slice(1)) byId(name).addEventListener("change", applyFilter);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  applyFilter();
  scroller.focus({ preventScroll: true });
});
form.addEventListener("reset", () => setTimeout(applyFilter));
byId("toggle-filters").addEventListener("click", (event) => {
  const open = form.classList.toggle("open");
  event.currentTarget.setAttribute("aria-expanded", String(open));
  resized();
});

const CHIPS = {
  unanswered: ["without an answer", "without an answer"],
  gap: ["gap", "gaps"],
  refused: ["refused", "refused"],
  slow: ["slow answer", "slow answers"],
  unfinished: ["unfinished handshake", "unfinished handshakes"],
};

function fillMarks() {
  const counts = new Map();
  const add = (name) => counts.set(name, (counts.get(name) || 0) + 1);
  rows.forEach((row) => row.marks.forEach(add));
  for (const fold of folds.values()) if (fold.marks.includes("unfinished")) add("unfinished");
  for (const [name, [one, many]] of Object.entries(CHIPS)) {
    if (!counts.has(name)) continue;
    const node = button(`chip ${name}`, "", () => goToMark(1, name));
    const count = counts.get(name);
    node.append(make("b", "", count.toLocaleString("en")), ` ${count === 1 ? one : many}`);
    node.title = `Go to the next one${filtered() ? " that is shown" : ""}`;
    byId("marks").append(node);
  }
  // Not said where something could not be read or was left out: nobody knows what is in it.
  const unknown = tables.remarks.length || tables.leftOut || rows.some((row) => row.kind === "note" || row.uncertain);
  if (!counts.size && rows.length && !unknown) byId("marks").append(make("span", "fine", "\u2713 nothing missing, slow or refused"));
}
