// What the axes of light curves are: three ways to write time; the labels of brightness come from the service.

const DAY = 86_400_000; // [ms]
const UNIX = 40587; // MJD of 1970-01-01

// For each way: the kind of axis, from MJD to the position on it, and back.
export function timeAxis(name, first) {
  const start = Math.floor(first);
  return {
    mjd: { kind: "number", position: (mjd) => mjd, mjd: (x) => x },
    days: { kind: "number", position: (mjd) => mjd - start, mjd: (x) => x + start },
    date: { kind: "date", position: (mjd) => (mjd - UNIX) * DAY, mjd: (x) => x / DAY + UNIX },
  }[name];
}

export function labelOfTime(name, first) {
  return { mjd: "MJD [d]", days: `days since MJD ${Math.floor(first)}`, date: "date" }[name];
}
