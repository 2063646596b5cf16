import * as http2 from "node:http2";
import type { RawAnswer } from "./raw-answer.ts";

export type Http2Request = { headers: Record<string, string>; pieces: readonly Buffer[] };

/** A connection of HTTP/2 that shows the headers and trailers of its answers in their order. */
export class RawHttp2 {
  readonly #session: http2.ClientHttp2Session;

  constructor(port: number) {
    this.#session = http2.connect(`http://127.0.0.1:${port}`);
    this.#session.on("error", () => {});
  }

  send({ headers, pieces }: Http2Request): Promise<RawAnswer> {
    return new Promise((resolve) => {
      const stream = this.#session.request(headers);
      const answer: RawAnswer = { head: [], trailers: [], body: "", closed: 0 };
      stream.on("error", () => {});
      stream.on("response", (_headers, _flags, ...[raw]: unknown[]) => {
        answer.head = lines(raw as string[]);
      });
      stream.on("trailers", (_headers, _flags, ...[raw]: unknown[]) => {
        answer.trailers = lines(raw as string[]);
      });
      stream.setEncoding("latin1").on("data", (text: string) => {
        answer.body += text;
      });
      stream.on("close", () => resolve({ ...answer, closed: stream.rstCode }));
      for (const piece of pieces) stream.write(piece);
      stream.end();
    });
  }

  /** Sends a request, or its beginning, and resets its stream. */
  async cut({ headers, pieces }: Http2Request, isWhole: boolean, when: Promise<unknown>): Promise<void> {
    const stream = this.#session.request(headers);
    stream.on("error", () => {});
    await Promise.all(pieces.map((piece) => new Promise((resolve) => stream.write(piece, resolve))));
    if (isWhole) stream.end();
    await when;
    stream.close(http2.constants.NGHTTP2_CANCEL);
  }

  close(): void {
    this.#session.destroy();
  }
}

const lines = (raw: string[]): string[] =>
  raw.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${raw[index + 1]}`] : []));
