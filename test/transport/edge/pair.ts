import { expect } from "vitest";
import { type RawAnswer, undated } from "./raw-answer.ts";
import { RawHttp1 } from "./raw-http1.ts";
import { type Http2Request, RawHttp2 } from "./raw-http2.ts";
import type { EdgeRequest } from "./requests.ts";
import type { Script } from "./script.ts";
import { type Fault, type StageServer, startStage } from "./stage.ts";

/** Requests on their way at once. */
export const LANES = 24;

/** The same stage behind both edges, and connections to both. */
export class Pair {
  readonly scripts: Map<string, Script>;
  readonly sides: readonly Side[];
  /** Requests so far, and those of them that came as far as the interceptors. */
  compared = 0;
  begun = 0;

  private constructor(scripts: Map<string, Script>, sides: Side[]) {
    this.scripts = scripts;
    this.sides = sides;
  }

  /** @param fault what the fast side does wrong */
  static async start(fault?: Fault): Promise<Pair> {
    const scripts = new Map<string, Script>();
    const servers = [await startStage("fast", scripts, fault), await startStage("stock", scripts)];
    return new Pair(
      scripts,
      servers.map((server) => new Side(server)),
    );
  }

  /** Sends each request to both and expects the same answers, log lines and sights of the implementation. */
  async expectSame(requests: readonly EdgeRequest[]): Promise<void> {
    for (const { id, script } of requests) this.scripts.set(id, script);
    const [fast, stock] = await Promise.all(this.sides.map((side) => side.answersTo(requests)));
    for (const [index, request] of requests.entries())
      expect(fast!.answers[index], described(request)).toEqual(stock!.answers[index]);
    expect(fast!.seen).toEqual(stock!.seen);
    expect(fast!.logs).toEqual(stock!.logs);
    this.scripts.clear();
    this.compared += requests.length;
    this.begun += fast!.logs.filter((line) => line.includes('"msg":"call"')).length;
  }

  async close(): Promise<void> {
    await Promise.all(this.sides.map((side) => side.close()));
  }
}

export class Side {
  readonly server: StageServer;
  readonly #http1: RawHttp1[];
  readonly #http2: RawHttp2;

  constructor(server: StageServer) {
    this.server = server;
    this.#http1 = Array.from({ length: LANES }, () => new RawHttp1(server.port));
    this.#http2 = new RawHttp2(server.port);
  }

  async answersTo(requests: readonly EdgeRequest[]) {
    const { logs, seen } = this.server;
    logs.length = 0;
    seen.clear();
    const answers = await Promise.all(requests.map((request, lane) => this.send(request, lane)));
    return {
      answers: answers.map(undated),
      logs: logs.toSorted(),
      // Some calls have an id in common, and each side may come to them in an order of its own.
      seen: Object.fromEntries([...seen].map(([id, sights]) => [id, sights.toSorted(byJson)])),
    };
  }

  send(request: EdgeRequest, lane: number): Promise<RawAnswer> {
    return request.version === 1
      ? this.#http1[lane % LANES]!.send(onHttp1(request))
      : this.#http2.send(onHttp2(request));
  }

  /** Begins the request and leaves when `when` says so. */
  async cut(request: EdgeRequest, when: Promise<unknown>): Promise<void> {
    if (request.version === 1) await this.#http1[0]!.cut(Buffer.concat(onHttp1(request)), when);
    else await this.#http2.cut(onHttp2(request), true, when);
  }

  /** Leaves as soon as all but the end of its body is sent. */
  async cutWithin(request: EdgeRequest): Promise<void> {
    if (request.version === 2) return this.#http2.cut(onHttp2(request), false, Promise.resolve());
    const whole = Buffer.concat(onHttp1(request));
    await this.#http1[0]!.cut(whole.subarray(0, -2), Promise.resolve());
  }

  async close(): Promise<void> {
    for (const connection of this.#http1) connection.close();
    this.#http2.close();
    await this.server.close();
  }
}

const byJson = (one: unknown, other: unknown) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1);

function onHttp1({ verb, target, headers, pieces, framing }: EdgeRequest): Buffer[] {
  const hasBody = pieces.length > 0;
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const own: Record<string, string> = !hasBody
    ? {}
    : framing === "chunked"
      ? { "transfer-encoding": "chunked" }
      : { "content-length": String(length) };
  const lines = Object.entries({ host: "gate.example", ...headers, ...own }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  const head = Buffer.from(`${verb} ${target} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`, "latin1");
  if (!hasBody) return [head];
  if (framing === "length")
    return pieces.length === 1 ? [Buffer.concat([head, ...pieces])] : [head, ...pieces];
  const chunks = pieces
    .filter((piece) => piece.length > 0)
    .map((piece) =>
      Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n")]),
    );
  return [Buffer.concat([head, ...chunks, Buffer.from("0\r\n\r\n")])];
}

function onHttp2({ verb, target, headers, pieces, framing }: EdgeRequest): Http2Request {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const own: Record<string, string> =
    framing === "length" && pieces.length > 0 ? { "content-length": String(length) } : {};
  return { headers: { ":method": verb, ":path": target, ...headers, ...own }, pieces };
}

export const described = ({ pieces, script, ...request }: EdgeRequest): string =>
  JSON.stringify({ ...request, body: Buffer.concat(pieces).toString("latin1"), script });
