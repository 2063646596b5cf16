import type { IncomingHttpHeaders } from "node:http";
import { trailerMux } from "@connectrpc/connect/protocol-connect";
import { headersOf } from "../node-http.ts";

/**
 * `Headers` that are made only if something is asked of them that their cheap form cannot answer. A real one costs more
 * than a small message takes to decode, and of most calls two or three fields are ever read.
 */
abstract class LazyHeaders implements Headers {
  protected made: Headers | undefined;
  protected abstract make(): Headers;

  /** The real ones; from now on they hold the truth. */
  get real(): Headers {
    this.made ??= this.make();
    return this.made;
  }

  abstract get(name: string): string | null;
  abstract has(name: string): boolean;
  append(name: string, value: string): void {
    this.real.append(name, value);
  }
  delete(name: string): void {
    this.real.delete(name);
  }
  set(name: string, value: string): void {
    this.real.set(name, value);
  }
  getSetCookie(): string[] {
    return this.real.getSetCookie();
  }
  forEach(callback: (value: string, name: string, parent: Headers) => void, thisArg?: unknown): void {
    this.real.forEach((value, name) => {
      callback.call(thisArg, value, name, this);
    });
  }
  entries() {
    return this.real.entries();
  }
  keys() {
    return this.real.keys();
  }
  values() {
    return this.real.values();
  }
  [Symbol.iterator]() {
    return this.real.entries();
  }
}

// Whoever asks whether these are `Headers` is told so.
Object.setPrototypeOf(LazyHeaders.prototype, Headers.prototype);

/** What every call asks for or is answered with: nobody needs to look at each letter of it. */
const usualNames = new Set([
  "cache-control",
  "connect-timeout-ms",
  "content-length",
  "content-type",
  "expires",
  "grpc-timeout",
  "pragma",
  "x-request-id",
  "x-zitadel-orgid",
]);

/** Whether a name is as our own code writes them: nothing that `Headers` would change or refuse. */
const isPlainName = (name: string): boolean => usualNames.has(name) || /^[a-z0-9-]+$/.test(name);

/** Values that `Headers` would neither trim nor refuse. */
const plainValue = /^[!-~](?:[ -~]*[!-~])?$/;

const isPlain = (name: string, value: unknown): boolean =>
  isPlainName(name) && typeof value === "string" && plainValue.test(value);

/** The headers a request came with, as Node parsed them. */
export class ReceivedHeaders extends LazyHeaders {
  readonly #fields: IncomingHttpHeaders;

  constructor(fields: IncomingHttpHeaders) {
    super();
    this.#fields = fields;
  }

  protected make(): Headers {
    return headersOf(this.#fields);
  }

  get(name: string): string | null {
    if (this.made === undefined) {
      const value = this.#fields[name];
      if (typeof value === "string" && name.charCodeAt(0) !== 58 /* : */) return value;
      // HTTP/2 has another name for the host.
      if (value === undefined && name !== "host" && isPlainName(name)) return null;
    }
    return this.real.get(name);
  }

  has(name: string): boolean {
    return this.get(name) !== null;
  }
}

/** Headers or trailers of an answer: few, and set one by one. */
export class AnsweredHeaders extends LazyHeaders {
  /** Name, value, name, value, …, by name. */
  readonly #fields: string[];

  /** @param fields name, value, name, value, … in the order of their names; taken over */
  constructor(fields: string[]) {
    super();
    this.#fields = fields;
  }

  protected make(): Headers {
    const headers = new Headers();
    for (let at = 0; at < this.#fields.length; at += 2) headers.set(this.#fields[at]!, this.#fields[at + 1]!);
    return headers;
  }

  /** Name, value, name, value, … in the order of their names; undefined once real headers were made of them. */
  get fields(): string[] | undefined {
    return this.made === undefined ? this.#fields : undefined;
  }

  get(name: string): string | null {
    if (this.made === undefined) {
      const at = this.#at(name);
      if (this.#fields[at] === name) return this.#fields[at + 1]!;
      if (isPlainName(name)) return null;
    }
    return this.real.get(name);
  }

  has(name: string): boolean {
    return this.get(name) !== null;
  }

  override forEach(
    callback: (value: string, name: string, parent: Headers) => void,
    thisArg?: unknown,
  ): void {
    if (this.made !== undefined) super.forEach(callback, thisArg);
    else
      for (let at = 0; at < this.#fields.length; at += 2)
        callback.call(thisArg, this.#fields[at + 1]!, this.#fields[at]!, this);
  }

  override set(name: string, value: string): void {
    if (this.made === undefined && isPlain(name, value)) {
      const at = this.#at(name);
      if (this.#fields[at] === name) this.#fields[at + 1] = value;
      else this.#fields.splice(at, 0, name, value);
    } else this.real.set(name, value);
  }

  /** Where the name is, or belongs. */
  #at(name: string): number {
    let at = 0;
    while (at < this.#fields.length && this.#fields[at]! < name) at += 2;
    return at;
  }
}

const isCheap = (headers: Headers): headers is AnsweredHeaders =>
  headers instanceof AnsweredHeaders && headers.fields !== undefined;

/** Headers and trailers as one, the way Connect sends them in a unary answer. */
export const withTrailer = (header: Headers, trailer: Headers): Headers =>
  isCheap(header) && isCheap(trailer) && trailer.fields?.length === 0
    ? header
    : trailerMux(realOf(header), realOf(trailer));

/** What Connect makes of headers before it sends them: a copy, in which joined values are trimmed anew. */
export const settled = (headers: Headers): Headers =>
  isCheap(headers) ? headers : new Headers(realOf(headers));

export const realOf = (headers: Headers): Headers =>
  headers instanceof AnsweredHeaders ? headers.real : headers;
