import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { LANES, Pair } from "./pair.ts";
import { type EdgeRequest, getSession, restRequest, rpcRequest } from "./requests.ts";

// Ids and times are the same on both sides, so that every byte can be compared.
const { randomUUID } = crypto;
let pair: Pair;
beforeAll(async () => {
  crypto.randomUUID = () => "0197a000-0000-7000-8000-00000000000a";
  syncBuiltinESMExports();
  vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(2026, 0, 1) });
  pair = await Pair.start();
});
afterAll(async () => {
  await pair.close();
  vi.useRealTimers();
  crypto.randomUUID = randomUUID;
  syncBuiltinESMExports();
});

/** Seconds on a machine that has nothing else to do. */
const PATIENCE_MS = 180_000;

// What differs is told with the request it was about, so nothing needs to be shrunk.
const batchOf = <T>(request: fc.Arbitrary<T>) => fc.array(request, { minLength: LANES, maxLength: LANES });
const batches = (count: number) => Math.ceil(count / LANES);

test("5,000 calls are answered alike on the short way and on the long one", {
  timeout: PATIENCE_MS,
}, async () => {
  await fc.assert(
    fc.asyncProperty(batchOf(rpcRequest), (requests) => pair.expectSame(requests)),
    { numRuns: batches(5_000), endOnFailure: true },
  );
  expect(pair.compared).toBeGreaterThanOrEqual(5_000);
  expect(pair.begun, "calls that began").toBeGreaterThan(pair.compared / 2);
});

test("1,000 calls over REST are answered alike", { timeout: PATIENCE_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(batchOf(restRequest), (requests) => pair.expectSame(requests)),
    { numRuns: batches(1_000), endOnFailure: true },
  );
});

test("answers of every size around the least that is compressed are alike", async () => {
  const headers = { authorization: "Bearer good", "accept-encoding": "gzip", "grpc-accept-encoding": "gzip" };
  const calls = ["application/json", "application/proto", "application/grpc", "application/grpc-web+proto"];
  for (const type of calls) {
    const requests = Array.from(
      { length: 120 },
      (_, index): EdgeRequest => ({
        version: 2,
        verb: "POST",
        target: "/zitadel.session.v2.SessionService/GetSession",
        headers: { "content-type": type, ...headers },
        pieces: [getSession(String(index + 1), type)],
        framing: "length",
        id: String(index + 1),
        script: {
          fields: [],
          waits: "not",
          error: undefined,
          padding: "x".repeat(910 + index),
          isWhole: true,
        },
      }),
    );
    await pair.expectSame(requests);
  }
});

test.each(["header", "trailer", "byte"] as const)("one %s that differs is found", async (fault) => {
  const faulty = await Pair.start(fault);
  try {
    const request = fc.sample(rpcRequest, { numRuns: 200, seed: 1 });
    const begun = request.filter(
      ({ script, target }) => script.error === undefined && target.endsWith("/GetSession"),
    );
    expect(begun.length).toBeGreaterThan(LANES);
    await expect(faulty.expectSame(begun.slice(0, LANES))).rejects.toThrow("x");
  } finally {
    await faulty.close();
  }
});
