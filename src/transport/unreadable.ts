/**
 * What decoding says of a JSON message that is none, without the value it stumbled over: a client that puts a password
 * where an object belongs would find it in its error, and then in its logs.
 * @param text `cannot decode field a.B.c from JSON: expected number (int32), got "…"`; any other passes unchanged
 * @returns `cannot decode field a.B.c from JSON: expected number (int32)`
 */
export function withoutValue(text: string): string {
  return text.replace(/^(cannot decode .*? from JSON)(: expected [^",]+(?=, got ))?.*$/s, "$1$2");
}
