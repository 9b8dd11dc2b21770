// Texts: everything a peer said reaches the page as text nodes, never as markup.

const byId = (id) => document.getElementById(id);

function make(tag, name, text) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
}

// Control characters, and what turns the direction of writing or has no width, by their numbers: a peer must not be able
// to make a line read as something else. Of several lines, the line ends stay.
function shown(text, lines = false) {
  return String(text).replace(
    /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
    (character) => {
      const code = character.charCodeAt(0);
      if (lines && (code === 10 || code === 9)) return character;
      return "\u27e8" + code.toString(16).toUpperCase().padStart(code < 256 ? 2 : 4, "0") + "\u27e9";
    },
  );
}

const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

// A length of time for people: "0.4 ms", "38 ms", "1.24 s", "2 min 5 s", "3 h 7 min".
function span(seconds) {
  if (seconds === null || seconds === undefined) return "unknown time";
  if (seconds < 0) return "\u2212" + span(-seconds);
  if (seconds < 0.00995) return `${(seconds * 1000).toFixed(1)} ms`;
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.round((minutes % 1440) / 60)} h`;
}

// Time since the beginning, as on a stop watch: "0.000", "1:02.345", "1:02:03.345".
function watch(seconds) {
  if (seconds === null) return "?";
  if (seconds < 0) return "\u2212" + watch(-seconds);
  const milliseconds = Math.round(seconds * 1000);
  const rest = ((milliseconds % 60000) / 1000).toFixed(3);
  const minutes = Math.floor(milliseconds / 60000);
  if (!minutes) return rest;
  const hours = Math.floor(minutes / 60);
  const tail = rest.padStart(6, "0");
  return hours ? `${hours}:${String(minutes % 60).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

// The hour of a clock that counts since 1970; other clocks have none.
function clock(seconds, digits = 3) {
  if (seconds === null || seconds < 1e8 || seconds > 2e11) return "";
  const day = new Date(Math.floor(seconds) * 1000).toISOString();
  const part = (seconds - Math.floor(seconds)).toFixed(6).slice(1, 2 + digits);
  return `${day.slice(0, 10)} ${day.slice(11, 19)}${digits ? part : ""} UTC`;
}

// A, B, ... Z, AA, AB: short names of connections.
function letter(index) {
  let text = "";
  for (let left = index + 1; left > 0; left = Math.floor((left - 1) / 26)) {
    text = String.fromCharCode(65 + ((left - 1) % 26)) + text;
  }
  return text;
}

// Three columns: where, sixteen (or fewer) bytes, and the letters among them.
function dump(bytes, from, to, perLine) {
  const lines = [];
  for (let at = from; at < to; at += perLine) {
    const part = bytes.subarray(at, Math.min(at + perLine, to));
    let hex = "";
    let ascii = "";
    part.forEach((byte, index) => {
      hex += (index === 8 ? "  " : index ? " " : "") + byte.toString(16).padStart(2, "0");
      ascii += byte > 31 && byte < 127 ? String.fromCharCode(byte) : "\u00b7";
    });
    lines.push(`${at.toString(16).padStart(5, "0")}  ${hex.padEnd(perLine * 3 - (perLine > 8 ? 0 : 1))}  ${ascii}`);
  }
  return lines.join("\n");
}
