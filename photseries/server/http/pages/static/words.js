// Formats counts as text.

/** @param {number} number @param {string} noun @param {string} plural */
export function counted(number, noun, plural = `${noun}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? noun : plural}`;
}
