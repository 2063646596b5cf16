import { connect, type IncomingHttpHeaders } from "node:http2";
import { Duplex } from "node:stream";
import { encodeFrame, encodeSettings, FLAG, FRAME, FrameReader, PREFACE } from "./http2-frames.ts";

/** `:status: 200`, which is in everybody's table (RFC 7541, appendix A). */
const STATUS_200 = Buffer.from([0x88]);
const STREAM = 1;

/**
 * Reads a block of header fields that refers to no table but the static one. Node does it, which has no function for
 * this: a client of its own gets the block as the answer to a request it never sends anywhere.
 * @param kind whether `:status` is among them
 * @throws Error if it is no such block
 */
export function readHeaderBlock(
  block: Buffer,
  kind: "headers" | "trailers",
): Promise<Record<string, string>> {
  const last = FLAG.END_HEADERS | FLAG.END_STREAM;
  const frames =
    kind === "headers"
      ? [encodeFrame(FRAME.HEADERS, last, STREAM, block)]
      : [
          encodeFrame(FRAME.HEADERS, FLAG.END_HEADERS, STREAM, STATUS_200),
          encodeFrame(FRAME.HEADERS, last, STREAM, block),
        ];
  const sent = new FrameReader(PREFACE.length);
  const server = new Duplex({
    read() {},
    write(bytes, _encoding, done) {
      // An answer to what was not sent yet would be refused.
      const asks = sent.push(bytes).some(({ type }) => type === FRAME.HEADERS);
      if (asks) server.push(Buffer.concat([encodeSettings(), ...frames]));
      done();
    },
  });
  return new Promise((resolve, reject) => {
    const client = connect("http://127.0.0.1", { createConnection: () => server });
    const request = client.request({ ":path": "/" });
    const settle = (headers: IncomingHttpHeaders) => {
      resolve({ ...headers } as Record<string, string>);
      client.destroy();
    };
    client.on("error", reject);
    request.on("error", reject);
    request.on("close", () => reject(new Error("no header fields")));
    request.on(kind === "headers" ? "response" : "trailers", settle);
    request.resume();
  });
}
