// Drawing: only the items in sight are in the document.

const scroller = byId("scroll");
const canvas = byId("canvas");
const heads = byId("heads");
const MARGIN = 400; // pixels drawn above and below the window, for scrolling without white
let drawn = new Map(); // index of an item -> its node

document.documentElement.style.setProperty("--gutter", `${GUTTER}px`);

function measure() {
  const width = scroller.clientWidth;
  state.narrow = width < NARROW;
  document.body.classList.toggle("narrow", state.narrow);
}

function redraw() {
  const gutter = state.narrow ? 0 : GUTTER;
  const columns = Math.max(1, state.columns.length);
  const room = scroller.clientWidth - gutter;
  state.column = state.narrow ? room : Math.max(COLUMN, Math.min(900, Math.floor(room / columns)));
  const width = gutter + state.column * columns;
  canvas.style.height = `${state.offsets[state.items.length]}px`;
  canvas.style.width = `${width}px`;
  heads.style.width = `${width}px`;
  canvas.replaceChildren();
  heads.replaceChildren();
  drawn = new Map();
  headed = "";
  const none = state.items.length === 0;
  byId("empty").hidden = !none;
  heads.hidden = none;
  byId("empty").textContent = rows.length ? "Nothing in this conversation matches the filter." : "This conversation has no messages.";
  draw();
}

function draw() {
  const top = scroller.scrollTop;
  const first = itemAt(Math.max(0, top - MARGIN));
  const last = Math.min(state.items.length - 1, itemAt(top + scroller.clientHeight + MARGIN));
  for (const [index, node] of drawn) {
    if (index < first || index > last) {
      node.remove();
      drawn.delete(index);
    }
  }
  for (let index = first; index <= last; index += 1) {
    if (drawn.has(index)) continue;
    const node = itemNode(index);
    drawn.set(index, node);
    canvas.append(node);
  }
  mark();
  if (state.items.length) drawHeads(itemAt(top));
}

let waiting = false;
scroller.addEventListener(
  "scroll",
  () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  },
  { passive: true },
);

let headed = "";
function drawHeads(index) {
  const lives = state.columns.map((_, column) => lifeAt(column, index));
  const key = lives.map((life) => life.connection).join();
  if (key === headed) return;
  headed = key;
  heads.replaceChildren(
    ...lives.map((life, column) => {
      const head = make("div", "head");
      place(head, column);
      const several = state.narrow && state.lives.size > 1;
      const [controller, accessory] = several ? ["", ""] : ends(life.connection);
      const row = rows[state.items[life.from].position];
      const label = several ? "" : tables.accessories[row.a];
      head.append(party("Controller", controller, ""), make("b", "letter", several ? "\u2194" : letter(life.connection)));
      head.append(party("Accessory", label && accessory.includes(label) ? accessory : label, label && accessory.includes(label) ? "" : accessory));
      return head;
    }),
  );
}

function party(role, name, address) {
  const node = make("div", `party ${role.toLowerCase()}`);
  node.append(make("span", "role", role), make("span", "name", shown(name)));
  if (address) node.append(make("span", "address", shown(address)));
  node.title = shown([name, address].filter(Boolean).join("  "));
  return node;
}

function place(node, column) {
  node.style.left = `${(state.narrow ? 0 : GUTTER) + column * state.column}px`;
  node.style.width = `${state.column}px`;
}

function itemNode(index) {
  const item = state.items[index];
  const node = make("div", `item ${item.type}`);
  node.style.top = `${state.offsets[index]}px`;
  node.style.height = `${item.height}px`;
  state.columns.forEach((_, column) => {
    const life = lifeAt(column, index);
    if (!state.narrow && (index < life.from || index > life.to)) return;
    const lines = make("i", "lives");
    place(lines, column);
    if (!state.narrow && index === life.from) lines.classList.add("first");
    if (!state.narrow && index === life.to) lines.classList.add("last");
    node.append(lines);
  });
  if (item.type === "pause") {
    node.setAttribute("role", "presentation");
    node.append(pauseNode(item));
    return node;
  }
  node.id = `item-${index}`;
  node.dataset.index = index;
  node.setAttribute("role", "option");
  node.setAttribute("aria-setsize", state.items.length);
  node.setAttribute("aria-posinset", index + 1);
  const first = rows[item.position];
  const when = make("span", "when", watch(since(first)));
  when.style.paddingTop = `${item.space + (TITLE[item.type === "fold" ? "fold" : first.kind] || 6) + 2}px`;
  node.append(when);
  const cell = make("div", "cell");
  place(cell, state.lives.get(item.connection).column);
  if (item.type === "fold") fillFold(node, cell, item.fold);
  else fillRow(node, cell, item);
  if (!state.narrow && tables.connections.length > 1 && state.lives.get(item.connection).from === index) {
    cell.querySelector(".top").prepend(make("b", "letter", letter(item.connection)));
  }
  if (state.narrow) {
    const tag = make("span", "tag", `${tables.connections.length > 1 ? letter(item.connection) + "  " : ""}${watch(since(first))}`);
    cell.querySelector(".top").prepend(tag);
  }
  node.append(cell);
  return node;
}

function pauseNode(item) {
  const time = span(Math.abs(item.seconds));
  const hidden = item.hidden ? `, ${item.hidden.toLocaleString("en")} not shown` : "";
  // A pause is none if something was said in it that the filter hides.
  let text = item.hidden ? `${time} later` : `${time} pause`;
  if (item.asked) text = `${time} until the answer`;
  if (item.seconds < 0) text = `the clock went back by ${time}`;
  return make("span", "silence", text + hidden);
}

function badges(marks, took) {
  if (!marks.some((name) => name !== "gap") && took === undefined) return "";
  const node = make("span", "badges");
  if (took !== undefined) node.append(make("span", marks.includes("slow") ? "took slow" : "took", span(took)));
  for (const name of marks) {
    if (name === "slow" && took !== undefined) continue; // the time itself says it
    if (name !== "gap") node.append(make("span", `badge ${name}`, MARKS[name]));
  }
  return node;
}

function fillFold(node, cell, fold) {
  const open = state.unfolded.has(fold.first);
  node.setAttribute("aria-expanded", String(open));
  node.classList.toggle("open", open);
  const box = make("div", "block");
  const top = make("div", "top");
  top.append(make("span", "twist", open ? "\u25be" : "\u25b8"), make("span", "title", `${fold.name} ${fold.steps}`));
  top.append(make("span", "more", `${fold.members.length} messages`));
  top.append(badges(fold.marks, fold.took === null ? undefined : fold.took));
  box.append(top);
  cell.append(box);
  const said = fold.marks.map((name) => MARKS[name]).join(", ");
  node.setAttribute("aria-label", `handshake ${fold.name} ${fold.steps}, ${fold.members.length} messages. ${said}`);
}

function fillRow(node, cell, { row, member }) {
  node.classList.add(`kind-${row.kind}`, row.to ? `to-${row.to}` : "to-none");
  for (const name of row.marks) node.classList.add(`is-${name}`);
  if (member) node.classList.add("member");
  const top = make("div", "top");
  top.append(make("span", "title", shown(row.title)), badges(row.marks, row.took));
  cell.append(top);
  if (row.to) cell.append(make("i", "arrow"));
  if (row.touched && row.touched.length) {
    const values = make("div", "values");
    row.touched.slice(0, 8).forEach((one, index) => {
      if (index) values.append(" \u00b7 ");
      values.append(make("span", "name", shown(one.name)));
      if (one.value !== undefined) values.append(" = ", make("span", "value", shown(one.value) || "\"\""));
      if (one.status) values.append(" ", make("span", "bad", `status ${one.status}`));
    });
    if (row.touched.length > 8) values.append(` \u00b7 ${row.touched.length - 8} more`);
    cell.append(values);
  }
  const way = row.to === "a" ? "to the accessory" : row.to === "c" ? "to the controller" : "";
  const said = [row.kind, way, shown(row.title), ...row.marks.map((name) => MARKS[name])];
  node.setAttribute("aria-label", `${said.filter(Boolean).join(", ")}. ${(row.touched || []).slice(0, 8).map(touchedText).map((text) => shown(text)).join(", ")}`);
}

// What is selected, and the other half of it: the answer of a request, the request of an answer.
function mark() {
  const item = state.items[state.selected];
  const row = item && item.type === "row" ? item.row : null;
  const mate = row ? (row.answers !== undefined ? positions.get(row.answers) : answers.get(row.n)) : undefined;
  for (const [index, node] of drawn) {
    const other = state.items[index];
    node.classList.toggle("selected", index === state.selected);
    node.classList.toggle("mate", mate !== undefined && other.type === "row" && other.position === mate);
    if (other.type !== "pause") node.setAttribute("aria-selected", String(index === state.selected));
  }
  if (drawn.has(state.selected)) scroller.setAttribute("aria-activedescendant", `item-${state.selected}`);
  else scroller.removeAttribute("aria-activedescendant");
}

function reveal(index, centred = false) {
  const top = state.offsets[index];
  const bottom = state.offsets[index + 1];
  const head = heads.offsetHeight;
  const outside = top < scroller.scrollTop || bottom + head > scroller.scrollTop + scroller.clientHeight;
  if (centred && outside) scroller.scrollTop = (top + bottom + head - scroller.clientHeight) / 2;
  else if (top < scroller.scrollTop) scroller.scrollTop = Math.max(0, top - 60);
  else if (bottom + head > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = bottom + head - scroller.clientHeight + 60;
  const item = state.items[index];
  if (!state.narrow && item && item.connection !== undefined) {
    const left = state.lives.get(item.connection).column * state.column;
    const room = scroller.clientWidth - GUTTER;
    if (left < scroller.scrollLeft) scroller.scrollLeft = left;
    else if (left + state.column > scroller.scrollLeft + room) scroller.scrollLeft = left + state.column - room;
  }
}
