// Moving about, and the beginning.

function select(index, open, centred = false) {
  state.selected = index;
  reveal(index, centred);
  draw();
  const item = state.items[index];
  if (item.type === "row" && (open || !panel.hidden)) openPanel(item.position);
}

function move(step) {
  const length = state.items.length;
  let index = state.selected < 0 ? (step > 0 ? -1 : length) : state.selected;
  const way = Math.sign(step);
  for (let left = Math.abs(step); left > 0; left -= 1) {
    let next = index + way;
    while (next >= 0 && next < length && state.items[next].type === "pause") next += way;
    if (next < 0 || next >= length) break;
    index = next;
  }
  if (index >= 0 && index < length && state.items[index].type !== "pause") select(index, false);
}

function toggle(fold, open = !state.unfolded.has(fold.first)) {
  if (open) state.unfolded.add(fold.first);
  else state.unfolded.delete(fold.first);
  relayout();
}

function activate(index) {
  const item = state.items[index];
  if (!item || item.type === "pause") return;
  state.selected = index;
  if (item.type === "fold") {
    toggle(item.fold);
    reveal(state.selected);
    draw();
  } else select(index, true);
}

// To a row wherever it is: unfolded, and without the filter if that hides it.
function goTo(position, open) {
  if (position === undefined) return;
  const fold = foldOf(rows[position]);
  if (fold && !state.unfolded.has(fold.first)) toggle(fold, true);
  let index = state.items.findIndex((item) => item.type === "row" && item.position === position);
  if (index < 0) {
    for (const name of fields) byId(name).value = "";
    applyFilter();
    index = state.items.findIndex((item) => item.type === "row" && item.position === position);
  }
  select(index, open, true);
}

function goToMark(way, name) {
  const length = state.items.length;
  const has = (item) => {
    const marks = item.type === "row" ? item.row.marks : item.type === "fold" ? item.fold.marks : [];
    // In an open handshake its messages are marked themselves.
    if (item.type === "fold" && state.unfolded.has(item.fold.first) && name !== "unfinished") return false;
    return name ? marks.includes(name) : marks.length > 0;
  };
  for (let step = 1; step <= length; step += 1) {
    const index = (((state.selected + (state.selected < 0 && way < 0 ? 1 : 0) + way * step) % length) + length) % length;
    if (has(state.items[index])) {
      select(index, false, true);
      scroller.focus({ preventScroll: true });
      return;
    }
  }
}

canvas.addEventListener("click", (event) => {
  const node = event.target.closest(".item[data-index]");
  if (node && String(getSelection()) === "") activate(Number(node.dataset.index));
});

function page() {
  return Math.max(1, Math.floor(scroller.clientHeight / 60) - 1);
}

const KEYS = {
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  PageDown: () => move(page()),
  PageUp: () => move(-page()),
  Home: () => move(-state.items.length),
  End: () => move(state.items.length),
  Enter: () => activate(state.selected),
  " ": () => activate(state.selected),
  ArrowRight: () => fold(true),
  ArrowLeft: () => fold(false),
  n: () => goToMark(1),
  N: () => goToMark(-1),
  "/": () => {
    form.classList.add("open");
    byId("toggle-filters").setAttribute("aria-expanded", "true");
    byId("query").focus();
  },
};

function fold(open) {
  const item = state.items[state.selected];
  if (!item || item.type === "pause") return;
  if (item.type === "fold") {
    if (open !== state.unfolded.has(item.fold.first)) toggle(item.fold, open);
  } else if (item.member && !open) {
    state.selected = state.items.findIndex((other) => other.fold === item.member);
    toggle(item.member, false);
    reveal(state.selected);
    draw();
  }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target;
  if (event.key === "Escape") {
    if (target === byId("query") && target.value) {
      target.value = "";
      applyFilter();
    } else if (!closePanel()) scroller.focus({ preventScroll: true });
    event.preventDefault();
    return;
  }
  if (target.closest("input, select, button, pre, #panel")) return;
  const action = KEYS[event.key];
  if (!action || !state.items.length) return;
  event.preventDefault();
  action();
});

function resized() {
  const width = scroller.clientWidth;
  if (width < NARROW !== state.narrow) relayout();
  else redraw();
}

let resizing = 0;
addEventListener("resize", () => {
  cancelAnimationFrame(resizing);
  resizing = requestAnimationFrame(resized);
});

// "report.html#123" is the entry 123: what a bug report can point to.
function followHash() {
  const number = /^#(\d{1,9})$/.exec(location.hash);
  if (number) goTo(positions.get(Number(number[1])), true);
}
addEventListener("hashchange", followHash);

function begin() {
  if (tables.title) {
    byId("title").textContent = shown(tables.title);
    document.title = shown(tables.title);
  }
  const about = [];
  if (clock(start, 0)) about.push(`began ${clock(start, 0)}`);
  if (start !== null) about.push(`${span(end - start)} long`);
  about.push(plural(tables.connections.length, "connection"));
  about.push(accessories.length === 1 ? "1 accessory" : `${accessories.length.toLocaleString("en")} accessories`);
  byId("about").textContent = about.join(" \u00b7 ");
  const remarks = [...tables.remarks];
  if (tables.leftOut) remarks.push(`the report would be too large: ${tables.leftOut.toLocaleString("en")} later entries are not in it`);
  for (const text of remarks) byId("about").append(make("strong", "remark", shown(text)));
  fillFilters();
  fillMarks();
  relayout();
  followHash();
  scroller.focus({ preventScroll: true });
  document.body.dataset.ready = "yes";
}

begin();
