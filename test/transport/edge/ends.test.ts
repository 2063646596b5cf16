import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../../crash/poll.ts";
import { Pair, type Side } from "./pair.ts";
import type { EdgeRequest } from "./requests.ts";

let pair: Pair;
beforeAll(async () => {
  pair = await Pair.start();
  // Connects.
  const request = { ...waiting("json", 2), headers: {} };
  await Promise.all(pair.sides.map((side) => side.send(request, 0)));
});
afterAll(() => pair.close());

const ordinary = {
  json: ["application/json", Buffer.from('{"sessionId":"1"}')],
  proto: ["application/proto", Buffer.from([10, 1, 49])],
  grpc: ["application/grpc", Buffer.from([0, 0, 0, 0, 3, 10, 1, 49])],
  "grpc-web": ["application/grpc-web+proto", Buffer.from([0, 0, 0, 0, 3, 10, 1, 49])],
} as const;
const cases = Object.keys(ordinary).flatMap((kind) =>
  ([1, 2] as const).map((version) => [kind as keyof typeof ordinary, version] as const),
);

function waiting(
  kind: keyof typeof ordinary,
  version: 1 | 2,
  headers: Record<string, string> = {},
): EdgeRequest {
  const [type, body] = ordinary[kind];
  return {
    version,
    verb: "POST",
    target: "/zitadel.session.v2.SessionService/GetSession",
    headers: { "content-type": type, authorization: "Bearer good", te: "trailers", ...headers },
    pieces: [body],
    framing: "length",
    id: "1",
    script: { fields: [], waits: "end", error: undefined, padding: "", isWhole: true },
  };
}

test.each(cases)("%s over HTTP/%i: a deadline ends the call and its answer alike", async (kind, version) => {
  const timeout: Record<string, string> =
    kind === "json" || kind === "proto" ? { "connect-timeout-ms": "20" } : { "grpc-timeout": "20m" };
  const request = waiting(kind, version, timeout);
  pair.scripts.set("1", request.script);
  const answers = await Promise.all(pair.sides.map((side) => side.send(request, 0)));
  const [fast, stock] = answers.map((answer) =>
    JSON.stringify(answer).replace(/[0-9a-f]{8}-[0-9a-f-]{27}|date: [^"]*/gi, ""),
  );
  expect(fast).toBe(stock);
  expect(fast).toMatch(/timed out|timed%20out/);
});

test.each(cases)("%s over HTTP/%i: a client that leaves ends the call alike", async (kind, version) => {
  const request = waiting(kind, version);
  pair.scripts.set("1", request.script);
  const lines = await Promise.all(
    pair.sides.map(async (side) => {
      side.server.logs.length = 0;
      side.server.seen.clear();
      await side.cut(
        request,
        until("the call", () => side.server.seen.has("1"), 5_000),
      );
      return lastLine(side);
    }),
  );
  expect(lines[0]).toBe(lines[1]);
  expect(JSON.parse(lines[0]!)).toMatchObject({ msg: "call", code: "canceled" });
});

test.each(cases)(
  "%s over HTTP/%i: a client that leaves within its message is logged alike",
  async (kind, version) => {
    const whole = waiting(kind, version);
    const request = { ...whole, pieces: [whole.pieces[0]!.subarray(0, 2)], framing: "chunked" as const };
    const lines = await Promise.all(
      pair.sides.map(async (side) => {
        side.server.logs.length = 0;
        await side.cutWithin(request);
        return lastLine(side);
      }),
    );
    expect(lines[0]).toBe(lines[1]);
    expect(JSON.parse(lines[0]!)).toMatchObject({ msg: "refused before the call" });
  },
);

async function lastLine({ server }: Side): Promise<string> {
  await until("its line", () => server.logs.length > 0, 5_000);
  return server.logs[0]!.replace(/"requestId":"[^"]*",?/, "");
}
