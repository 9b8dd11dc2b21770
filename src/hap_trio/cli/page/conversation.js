// The conversation as it stands in the page, and what follows from it.

const tables = JSON.parse(byId("tables").textContent);
const rows = [];
for (const block of document.querySelectorAll("script.rows")) {
  for (const row of JSON.parse(block.textContent)) rows.push(row);
}
// The details are many times larger than the rows, and are read only when somebody looks.
const blocks = [...document.querySelectorAll("script.details")].map((node) => ({ node, items: null }));

function detailsOf(position) {
  const block = blocks[Math.floor(position / tables.block)];
  if (!block.items) {
    block.items = JSON.parse(block.node.textContent);
    block.node.remove();
  }
  return block.items[position % tables.block];
}

const ends = (connection) => {
  const parts = tables.connections[connection].split(" > ");
  return parts.length === 2 ? parts : [tables.connections[connection], ""];
};

// Until its id is known, an accessory goes by its address: the same accessory, so that a filter finds all of it.
function recogniseAccessories() {
  const byConnection = new Map();
  const byAddress = new Map();
  const nameless = (row) => tables.accessories[row.a] === ends(row.c)[1];
  for (const row of rows) {
    if (nameless(row)) continue;
    if (!byConnection.has(row.c)) byConnection.set(row.c, row.a);
    const address = ends(row.c)[1];
    byAddress.set(address, (byAddress.get(address) || new Set()).add(row.a));
  }
  for (const row of rows) {
    if (!nameless(row)) continue;
    const known = byAddress.get(ends(row.c)[1]);
    if (byConnection.has(row.c)) row.a = byConnection.get(row.c);
    else if (known && known.size === 1) [row.a] = known;
  }
}
recogniseAccessories();
const accessories = [...new Set(rows.map((row) => row.a))].sort((one, other) => one - other);

const positions = new Map(); // number of an entry -> its position
const answers = new Map(); // number of a request -> the position of its first answer
const folds = new Map(); // number of the first message -> a handshake
const characteristics = new Map(); // "accessory/aid.iid" -> how it is called

rows.forEach((row, position) => {
  positions.set(row.n, position);
  row.marks = row.marks || [];
  if (row.answers !== undefined && !answers.has(row.answers)) answers.set(row.answers, position);
  if (row.fold !== undefined) {
    if (!folds.has(row.fold)) folds.set(row.fold, { first: row.fold, name: row.handshake, connection: row.c, members: [] });
    folds.get(row.fold).members.push(position);
  }
  for (const one of row.touched || []) {
    const key = `${row.a}/${one.aid}.${one.iid}`;
    const plain = one.name === `${one.aid}.${one.iid}`;
    // Names are known as soon as the database was read, which may be in the middle.
    if (!characteristics.has(key) || !plain) characteristics.set(key, { key, name: one.name, plain, id: `${one.aid}.${one.iid}` });
  }
});

// "It stopped responding": requests that nothing answered. Where bytes are missing soon after, or the capture ends, the
// answer may be among what nobody heard.
const CAPTURE_ENDS = "the capture ends";
const SOON = 10; // seconds, after which a controller gives up
const gaps = new Map(); // connection -> the next of these, seen from the end
for (let position = rows.length - 1; position >= 0; position -= 1) {
  const row = rows[position];
  if (row.kind === "gap" || (row.kind === "closed" && row.title === CAPTURE_ENDS)) gaps.set(row.c, row);
  const asks = row.kind === "request" || (row.kind === "pairing" && row.to === "a");
  if (!asks || answers.has(row.n)) continue;
  const gap = gaps.get(row.c);
  if (gap && !(gap.t - row.t > SOON)) row.uncertain = gap.kind === "gap" ? "bytes are missing soon after" : "the capture ends soon after";
  else row.marks.push("unanswered");
}

const LAST_STEP = { "pair-setup": 6, "pair-verify": 4, "pair-resume": 2 };
for (const [first, fold] of folds) {
  if (fold.members.length < 2) {
    folds.delete(first); // one message is no shorter when it is folded
    continue;
  }
  const members = fold.members.map((position) => rows[position]);
  const last = members[members.length - 1];
  fold.steps = `M${members[0].step} \u2026 M${last.step}`;
  fold.took = last.t === null || members[0].t === null ? null : last.t - members[0].t;
  fold.marks = [...new Set(members.flatMap((row) => row.marks))];
  if (last.step !== LAST_STEP[fold.name] && !fold.marks.includes("unanswered") && !last.uncertain) fold.marks.push("unfinished");
}
const foldOf = (row) => (row.fold === undefined ? undefined : folds.get(row.fold));

const MARKS = {
  unanswered: "no answer",
  gap: "bytes missing",
  refused: "refused",
  slow: "slow",
  unfinished: "unfinished",
};

const start = rows.reduce((least, row) => (row.t !== null && (least === null || row.t < least) ? row.t : least), null);
const end = rows.reduce((most, row) => (row.t !== null && (most === null || row.t > most) ? row.t : most), null);
const since = (row) => (row.t === null || start === null ? null : row.t - start);

function touchedText(one) {
  let text = one.name;
  if (one.value !== undefined) text += ` = ${one.value}`;
  if (one.status) text += ` (status ${one.status})`;
  return text;
}

// What the text filter looks at. Made when somebody types, for all the details have to be read for it.
const texts = [];
function textOf(position) {
  if (texts[position] === undefined) {
    const row = rows[position];
    const more = detailsOf(position);
    texts[position] = [
      more.title || row.title,
      ...(more.touched || row.touched || []).map(touchedText),
      ...(more.details || []).map(([name, text]) => `${name}: ${text}`),
      tables.accessories[row.a],
      tables.connections[row.c],
    ]
      .join("\n")
      .toLowerCase();
  }
  return texts[position];
}
