// Answers as a table for other programs.

const COLUMNS = ["file", "quality", "low", "high", "confident", "patches", "reason"];
const DIGITS = { quality: 3 };

/** CSV text of answers, a row each; a name that a spreadsheet would run as a formula begins with an apostrophe. */
export function toCsv(answers) {
  const cell = (row, name) => {
    const value = row[name] ?? "";
    if (typeof value === "number") return name in DIGITS ? value.toFixed(DIGITS[name]) : String(value);
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [COLUMNS, ...answers.map((row) => COLUMNS.map((name) => cell(row, name)))].map((row) => `${row.join(",")}\n`).join("");
}
