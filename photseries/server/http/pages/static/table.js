// Text files as columns in JSON, read as readers/text.py reads them. Digits stay as they stand in the file, since a number of
// JavaScript would keep 53 bits of them; what cannot be sent is refused.

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const INFINITE = /^[+-]?inf(inity)?$/i;
const WHOLE = /^[+-]?\d+$/;
const TRUTH = /^(true|false)$/i;
const MISSING = new Set(["", "nan", "NaN", "-nan", "-NaN", "NA", "N/A", "n/a", "#NA", "#N/A", "<NA>", "NULL", "null", "None"]);
const SEPARATORS = { csv: ",", tsv: "\t" }; // by the end of the name; what has another may have spaces
const LONG = 2n ** 63n;

// A JSON object of names and of values that are JSON.
export function object(entries) {
  return `{${entries.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(",")}}`;
}

// The columns of a file, and what is to be said of them.
export async function columnsOf(file) {
  const text = decoded(await file.arrayBuffer());
  const [comments] = /^(?:(?:#[^\r\n]*|[ \t]*)(?:\r\n?|\n))*/.exec(text);
  const [head] = /[^\r\n]*/.exec(text.slice(comments.length));
  const usual = SEPARATORS[file.name.split(".").at(-1).toLowerCase()];
  const separator = [usual, ",", ";", "\t"].find((one) => one && head.includes(one)) ?? " ";
  const rows = split(text.slice(comments.length), separator);
  if (!rows.length) throw new Error("There is no table in the file.");
  const names = rows[0].some((cell) => NUMBER.test(cell)) ? named(comments, separator, rows[0].length) : rows.shift();
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw new Error(`Two columns are called ${twice}: which is meant? Rename one.`);
  if (!rows.length) throw new Error("The file has no rows under the names of its columns.");
  const ragged = rows.findIndex((row) => row.length !== names.length);
  if (ragged >= 0) throw new Error(`Row ${ragged + 1} has ${rows[ragged].length} values, not ${names.length}.`);
  const columns = names.map((name, i) => ({ name, ...column(name, rows.map((row) => row[i])) }));
  return { json: object(columns.map(({ name, json }) => [name, json])), warnings: columns.flatMap(({ warning }) => warning ?? []) };
}

function decoded(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Error("The file is no text in UTF-8: save it as such.");
  }
}

// The names in the last line before the table, where its first line holds none.
function named(comments, separator, count) {
  const last = comments.trimEnd().split(/[\r\n]/).at(-1).replace(/^#+/, "");
  const [names = []] = split(last, separator);
  if (names.length !== count) throw new Error("No line names the columns: put their names into the first.");
  return names;
}

// The cells of each row that is not blank. A cell in double quotes may hold separators and ends of lines, quotes doubled.
function split(text, separator) {
  const [blank, plain, next] = {
    " ": ["[ \\t]", "[^ \\t\\r\\n]*", "(?<=[ \\t])"],
    "\t": [" ", "[^\\t\\r\\n]*?", "\\t"],
  }[separator] ?? ["[ \\t]", `[^${separator}\\r\\n]*?`, separator];
  const cell = new RegExp(`${blank}*(?:"([^"]*(?:""[^"]*)*)"|(${plain}))${blank}*(?:(\\r\\n?|\\n|$)|${next})`, "y");
  const rows = [];
  let row = [];
  while (cell.lastIndex < text.length) {
    const [, inQuotes, bare, end] = cell.exec(text);
    row.push(inQuotes === undefined ? bare : inQuotes.replaceAll('""', '"'));
    const isLast = cell.lastIndex === text.length;
    if (end === undefined && isLast) row.push(""); // the file ends after a separator
    if (end === undefined && !isLast) continue;
    if (row.length > 1 || row[0]) rows.push(row);
    row = [];
  }
  return rows;
}

// One column: numbers, truths or texts where all values are; what is missing is null.
function column(name, cells) {
  const present = cells.filter((cell) => !MISSING.has(cell));
  const full = present.length === cells.length;
  const list = (write) => ({ json: `[${cells.map((cell) => (MISSING.has(cell) ? "null" : write(cell))).join(",")}]` });
  if (full && present.every((cell) => TRUTH.test(cell))) return list((cell) => cell.toLowerCase());
  if (!present.every((cell) => NUMBER.test(cell) || INFINITE.test(cell))) return list(JSON.stringify);
  const infinite = present.find((cell) => !Number.isFinite(Number(cell)));
  if (infinite) throw new Error(`The column ${name} has the value ${infinite}; only finite numbers can be sent from here. Leave its cell empty.`);
  const exact = full ? (cell) => -LONG <= BigInt(cell) && BigInt(cell) < LONG : (cell) => Number.isSafeInteger(Number(cell));
  if (!present.every((cell) => WHOLE.test(cell))) return list((cell) => (WHOLE.test(cell) ? `${digits(cell)}.0` : digits(cell)));
  if (present.every(exact)) return list(digits);
  const why = full ? "beyond 64 bits" : "beyond 2⁵³ with gaps between them";
  return { ...list(JSON.stringify), warning: `${name} is kept as text: whole numbers ${why} would lose digits.` };
}

// A number as JSON writes it.
function digits(cell) {
  const [, minus, whole, fraction, power] = /^\+?(-?)0*(\d*)(\.?\d*)(.*)$/.exec(cell);
  return `${minus}${whole || 0}${fraction === "." ? ".0" : fraction}${power}`;
}
