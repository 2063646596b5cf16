/** Shorter than this a text can come up by chance in the ids and ciphertexts around it. */
const LONG_ENOUGH = 10;

/**
 * What nobody may read, and the search for it: as it is, as JSON, a URL or a form write it, in base64 and base64url
 * wherever in a longer text it begins, in hexadecimal, and as the numbers of its bytes.
 *
 * A code of a few letters and digits, as it is, counts only where it stands alone: not as a part of an id, of a
 * ciphertext or of a number with a fraction, of which a page of log holds thousands. One in a thousand codes of digits
 * ends like the milliseconds of a lifetime, the only other numbers of that length: it is not looked for as it is.
 */
export class Secrets {
  readonly #all = new Map<string, string | Uint8Array>();
  /** By name: every form it is looked for in, anywhere. */
  readonly #forms = new Map<string, string[]>();
  /** By name: what is looked for as a word of its own. */
  readonly #words = new Map<string, string>();

  /** @param name what a failure shows instead of the secret; a number follows if it is taken */
  remember(name: string, secret: string | Uint8Array): void {
    const bytes = Buffer.from(secret);
    if (bytes.length < 6) throw new Error(`${name} is too short to be looked for`);
    const unique = this.#forms.has(name) ? `${name} ${this.#forms.size}` : name;
    const text = typeof secret === "string" ? secret : undefined;
    const isShort = text !== undefined && text.length < LONG_ENOUGH;
    if (isShort && !/^\d+000$/.test(text)) this.#words.set(unique, text);
    const written = text === undefined || isShort ? [] : textForms(text);
    this.#all.set(unique, secret);
    this.#forms.set(unique, [...new Set([...written, ...byteForms(bytes)])]);
  }

  get names(): string[] {
    return [...this.#all.keys()];
  }

  /** A text with each of them in it, to see that the search finds them. */
  leaked(): string {
    const leak = (secret: string | Uint8Array) => ({ secret, bytes: Buffer.from(secret).toString("hex") });
    return JSON.stringify([...this.#all.values()].map(leak));
  }

  /** The names of the secrets that are in one of the texts, in any form. */
  namesFoundIn(texts: readonly string[]): string[] {
    const text = texts.join("\n");
    const words = wordsOf(text);
    return this.names.filter(
      (name) =>
        words.has(this.#words.get(name) ?? "") || this.#forms.get(name)!.some((form) => text.includes(form)),
    );
  }
}

const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);

const textForms = (text: string): string[] => [
  text,
  inJson(text),
  inJson(inJson(text)),
  encodeURIComponent(text),
  new URLSearchParams({ text }).toString().slice("text=".length),
];

function byteForms(bytes: Buffer): string[] {
  const base64 = [0, 1, 2].map((before) => base64Within(bytes, before));
  const hex = bytes.toString("hex");
  const numbers = [...bytes];
  return [
    ...base64,
    ...base64.map((form) => form.replaceAll("+", "-").replaceAll("/", "_")),
    hex,
    hex.toUpperCase(),
    // What becomes of a buffer, and of a plain array of bytes, in JSON.
    numbers.join(","),
    numbers.map((byte, index) => `"${index}":${byte}`).join(","),
  ];
}

/** The characters of base64 that are these bytes' alone, if `before` more (modulo 3) stand before them. */
function base64Within(bytes: Buffer, before: number): string {
  const padded = Buffer.concat([Buffer.alloc(before), bytes]);
  const first = Math.ceil((before * 8) / 6);
  const last = Math.floor((padded.length * 8) / 6);
  return padded.toString("base64").slice(first, last);
}

/** Runs of letters and digits, without what escapes add to them. */
const wordsOf = (text: string): Set<string> =>
  new Set(
    text
      .replaceAll(/\\u[0-9a-f]{4}|\\[nrtbf]|%[0-9a-f]{2}/gi, " ")
      .replaceAll(/\d+\.\d+/g, " ")
      .match(/[A-Za-z0-9]+/g),
  );
