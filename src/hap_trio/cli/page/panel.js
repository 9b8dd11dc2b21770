// The panel beside the diagram: what was decoded of one message, and its bytes.

const panel = byId("panel");
const AT_FIRST = 4096; // bytes shown before somebody asks for all

function openPanel(position) {
  state.opened = position;
  const row = rows[position];
  const more = detailsOf(position);
  panel.replaceChildren(panelHead(position, row, more), ...panelParts(row, more));
  const was = panel.hidden;
  panel.hidden = false;
  panel.scrollTop = 0;
  document.body.classList.add("opened");
  panel.append(...panelBytes(more)); // it has a width only now, on which the dump depends
  if (was) resized();
  if (location.hash !== `#${row.n}`) history.replaceState(null, "", `#${row.n}`);
}

function closePanel() {
  if (panel.hidden) return false;
  panel.hidden = true;
  panel.replaceChildren();
  state.opened = null;
  document.body.classList.remove("opened");
  history.replaceState(null, "", "#");
  resized();
  scroller.focus({ preventScroll: true });
  return true;
}

function button(name, label, action) {
  const node = make("button", name, label);
  node.type = "button";
  node.addEventListener("click", action);
  return node;
}

function panelHead(position, row, more) {
  const head = make("div", "panel-head");
  const line = make("div", "panel-line");
  const kind = row.kind === "pairing" && row.handshake ? row.handshake : row.kind;
  line.append(make("span", `kind kind-${row.kind}`, kind), make("span", "number", `entry ${row.n}`), badges(row.marks, row.took));
  const close = button("close", "\u2715", closePanel);
  close.setAttribute("aria-label", "Close (Escape)");
  line.append(close);
  head.append(line, make("h2", "", shown(more.title || row.title)));
  const facts = make("dl", "facts");
  const fact = (name, ...nodes) => {
    const value = make("dd");
    value.append(...nodes);
    facts.append(make("dt", "", name), value);
  };
  const hour = clock(row.t, 6);
  fact("Time", `${watch(since(row))}${hour ? `  \u00b7  ${hour}` : ""}`);
  const [controller, accessory] = ends(row.c);
  const arrow = row.to === "a" ? "\u2192" : row.to === "c" ? "\u2190" : "\u2013";
  fact("Way", shown(accessory ? `${controller} ${arrow} ${accessory}` : controller));
  fact("Accessory", shown(tables.accessories[row.a]));
  if (tables.connections.length > 1) fact("Connection", letter(row.c));
  const jump = (number, text) => button("link", text, () => goTo(positions.get(number), true));
  if (row.answers !== undefined && positions.has(row.answers)) {
    const asked = rows[positions.get(row.answers)];
    fact("Answers", jump(row.answers, `${shown(asked.title)} (entry ${row.answers})`), row.took === undefined ? "" : ` after ${span(row.took)}`);
  }
  const answer = answers.get(row.n);
  if (answer !== undefined) fact("Answered by", jump(rows[answer].n, `${shown(rows[answer].title)} (entry ${rows[answer].n})`));
  if (row.uncertain) fact("Answer", `unknown: ${row.uncertain}`);
  if (row.marks.includes("unanswered")) fact("Answer", "none, as far as the capture goes");
  head.append(facts);
  return head;
}

function panelParts(row, more) {
  const parts = [];
  const touched = more.touched || row.touched || [];
  if (touched.length) {
    const table = make("table", "touched");
    const titles = make("tr");
    for (const name of ["Id", "Characteristic", "Value"]) titles.append(make("th", "", name));
    table.append(make("thead"), make("tbody"));
    table.tHead.append(titles);
    for (const one of touched.slice(0, 1000)) {
      const line = make("tr");
      const value = make("td", "value", one.value === undefined ? "" : shown(one.value, true));
      if (one.status) {
        value.append(one.value === undefined ? "" : " ", make("span", "bad", `${tables.statuses[one.status] || "status"} (${one.status})`));
      }
      const name = make("td", "name");
    // Long names are broken between the service and the characteristic.
    shown(one.name)
      .split(/(?<=\.)/)
      .forEach((part, index) => name.append(...(index ? [make("wbr"), part] : [part])));
    line.append(make("td", "id", `${one.aid}.${one.iid}`), name, value);
      table.tBodies[0].append(line);
    }
    parts.push(make("h3", "", "Characteristics"), table);
    if (touched.length > 1000) parts.push(make("p", "hint", `and ${plural(touched.length - 1000, "more characteristic")}`));
  }
  if (more.details) {
    const list = make("dl", "details");
    for (const [name, text] of more.details) list.append(make("dt", "", shown(name)), make("dd", "", shown(text, true)));
    parts.push(make("h3", "", "Decoded"), list);
  }
  return parts;
}

function panelBytes(more) {
  if (!more.data) return [make("p", "hint", "No bytes belong to this entry.")];
  const bytes = Uint8Array.from(atob(more.data), (character) => character.charCodeAt(0));
  const parts = [make("h3", "", plural(more.size, "byte"))];
  const code = make("pre", "bytes");
  code.tabIndex = 0;
  const perLine = panel.clientWidth >= 590 ? 16 : 8;
  const show = (to) => {
    code.textContent = dump(bytes, 0, to, perLine);
  };
  show(Math.min(AT_FIRST, bytes.length));
  parts.push(code);
  if (bytes.length > AT_FIRST) {
    const rest = button("link", `Show all ${plural(bytes.length, "byte")}`, () => {
      show(bytes.length);
      rest.remove();
      code.focus();
    });
    parts.push(rest);
  }
  if (bytes.length < more.size) {
    parts.push(make("p", "hint", `The report holds the first ${bytes.length.toLocaleString("en")} of ${plural(more.size, "byte")}.`));
  }
  return parts;
}
