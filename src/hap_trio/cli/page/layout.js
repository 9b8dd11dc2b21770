// Which items are shown, in which column, how high. One pass over the rows; what is drawn of it is up to diagram.js.

const NARROW = 560; // pixels of the diagram below which all connections share one column
const COLUMN = 290; // the least width of a column
const GUTTER = end - start >= 3600 ? 112 : 84; // the column of times
const PAUSE = 0.5; // seconds of silence that get a line of their own
const HEIGHT = { pause: 34, fold: 44, gap: 46, opened: 34, closed: 34, note: 36, plain: 40, values: 60 };
const TITLE = { fold: 14, gap: 13, opened: 9, closed: 9, note: 10 }; // pixels above the title; 6 in all others

const state = {
  filter: { query: "", accessory: "", connection: "", characteristic: "" },
  unfolded: new Set(),
  items: [],
  offsets: [0],
  columns: [], // for each column the connections in it: {connection, from, to} in items
  column: 0, // width
  narrow: false,
  shownRows: 0,
  selected: -1, // index of an item
  opened: null, // position of the row in the panel
};

const filtered = () => Object.values(state.filter).some(Boolean);

function matches(position) {
  const row = rows[position];
  const { query, accessory, connection, characteristic } = state.filter;
  if (accessory !== "" && row.a !== Number(accessory)) return false;
  if (connection !== "" && row.c !== Number(connection)) return false;
  if (characteristic !== "") {
    const hit = (row.touched || []).some((one) => `${row.a}/${one.aid}.${one.iid}` === characteristic);
    if (!hit) return false;
  }
  return query === "" || textOf(position).includes(query);
}

function heightOf(row) {
  if (row.touched && row.touched.length) return HEIGHT.values;
  return HEIGHT[row.kind] || HEIGHT.plain;
}

function layOut() {
  const items = [];
  const all = !filtered();
  const shownFolds = new Set();
  let last = null; // time of the latest row that is shown or folded in
  let hidden = 0;
  let count = 0;
  rows.forEach((row, position) => {
    if (!all && !matches(position)) {
      hidden += 1;
      return;
    }
    count += 1;
    let space = 0;
    const fold = foldOf(row);
    const inside = fold && shownFolds.has(fold) && !state.unfolded.has(fold.first);
    if (row.t !== null) {
      const quiet = last === null ? 0 : row.t - last;
      if (!inside && (quiet >= PAUSE || quiet < -0.001)) {
        const asked = !hidden && position > 0 && row.answers === rows[position - 1].n;
        items.push({ type: "pause", seconds: quiet, hidden, asked, height: HEIGHT.pause });
      } else if (quiet > 0.01) {
        space = Math.round(Math.min(16, Math.log10(quiet / 0.01) * 10));
      }
      last = row.t;
    }
    hidden = 0;
    if (inside) return;
    if (fold && !shownFolds.has(fold)) {
      shownFolds.add(fold);
      items.push({ type: "fold", fold, connection: row.c, position, space, height: HEIGHT.fold + space });
      space = 0;
      if (!state.unfolded.has(fold.first)) return;
    }
    items.push({ type: "row", row, position, member: fold, connection: row.c, space, height: heightOf(row) + space });
  });
  state.items = items;
  state.shownRows = count;
  const offsets = new Float64Array(items.length + 1);
  items.forEach((item, index) => {
    offsets[index + 1] = offsets[index] + item.height;
  });
  state.offsets = offsets;
  arrange();
}

// Connections that are not open at the same time share a column, so that many reconnections stay in sight.
function arrange() {
  const lives = new Map();
  state.items.forEach((item, index) => {
    if (item.connection === undefined) return;
    const life = lives.get(item.connection);
    if (life) life.to = index;
    else lives.set(item.connection, { connection: item.connection, from: index, to: index });
  });
  state.columns = [];
  for (const life of lives.values()) {
    let column = state.narrow ? 0 : state.columns.findIndex((others) => others[others.length - 1].to < life.from);
    if (column < 0) column = state.columns.length;
    (state.columns[column] = state.columns[column] || []).push(life);
    life.column = column;
  }
  state.lives = lives;
}

// The first item that ends below a height.
function itemAt(height) {
  let low = 0;
  let high = state.items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (state.offsets[middle + 1] <= height) low = middle + 1;
    else high = middle;
  }
  return low;
}

// The connection that a column shows at an item, or the next one, or the last.
function lifeAt(column, index) {
  const lives = state.columns[column];
  let low = 0;
  let high = lives.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lives[middle].to < index) low = middle + 1;
    else high = middle;
  }
  return lives[low];
}
