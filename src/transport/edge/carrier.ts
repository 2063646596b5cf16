import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { IncomingHttpHeaders as Http2Headers, ServerHttp2Stream } from "node:http2";
import { endTogether } from "../end-together.ts";
import { type Client, type HeaderFields, readAll } from "../node-http.ts";

/** A complete answer. */
export type Reply = {
  readonly status: number;
  /** Name, value, name, value, … */
  readonly fields: string[];
  /** Text is ASCII, which Node can put into one piece with the headers. */
  readonly body: Uint8Array | string;
  readonly trailers?: HeaderFields | undefined;
};

/** One request and the way back, over either version of HTTP. */
export interface Carrier extends Client {
  readonly httpVersion: string;
  readonly headers: IncomingHttpHeaders;
  /** @throws ConnectError as `readAll` does */
  read(maxBytes: number): Promise<Uint8Array>;
  /** A client that left is no error. */
  send(reply: Reply): void;
  /** Says that there is no answer; cuts one that has begun. */
  fail(fields: string[]): void;
}

export class Http1Carrier implements Carrier {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request;
    this.#response = response;
  }
  get httpVersion(): string {
    return this.#request.httpVersion;
  }
  get headers(): IncomingHttpHeaders {
    return this.#request.headers;
  }
  get isGone(): boolean {
    return this.#response.destroyed;
  }
  read(maxBytes: number): Promise<Uint8Array> {
    return readAll(this.#request, this.#request.headers["content-length"], maxBytes);
  }
  onGone(listener: () => void): void {
    this.#response.once("close", () => {
      if (!this.#response.writableEnded) listener();
    });
  }
  send({ status, fields, body, trailers }: Reply): void {
    const response = this.#response;
    if (response.destroyed) return;
    response.writeHead(status, fields);
    if (trailers !== undefined) response.addTrailers(trailers);
    endTogether(response, body);
  }
  fail(fields: string[]): void {
    if (this.#response.headersSent) this.#response.destroy();
    else this.send(failure(fields));
  }
}

/** HTTP/2 without the request and the response Node would make of a stream: they cost a third of an empty call. */
export class Http2Carrier implements Carrier {
  readonly httpVersion = "2.0";
  readonly headers: IncomingHttpHeaders;
  readonly #stream: ServerHttp2Stream;
  #answered = false;

  constructor(stream: ServerHttp2Stream, headers: Http2Headers) {
    this.#stream = stream;
    this.headers = headers;
  }
  get isGone(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }
  read(maxBytes: number): Promise<Uint8Array> {
    return readAll(this.#stream, this.headers["content-length"], maxBytes);
  }
  onGone(listener: () => void): void {
    // Node ends a stream that is reset, so the stream itself does not know whether it was answered.
    this.#stream.once("close", () => {
      if (!this.#answered) listener();
    });
  }
  send({ status, fields, body, trailers }: Reply): void {
    const stream = this.#stream;
    if (this.isGone) return;
    this.#answered = true;
    fields.unshift(":status", String(status));
    stream.respond(fields, trailers && { waitForTrailers: true });
    if (trailers !== undefined) stream.once("wantTrailers", () => stream.sendTrailers(trailers));
    stream.end(body, "latin1");
  }
  fail(fields: string[]): void {
    if (this.#stream.headersSent) this.#stream.destroy();
    else this.send(failure(fields));
  }
}

const failure = (fields: string[]): Reply => ({
  status: 500,
  fields: [...fields, "content-length", "0"],
  body: "",
});
