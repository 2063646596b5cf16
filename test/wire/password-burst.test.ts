import { afterAll, beforeAll, expect, test } from "vitest";
import { defaultParallel } from "../../src/crypto/password-hasher.ts";
import { addHuman, importedHash, PASSWORD } from "../crash/people.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";
import { callsOf, outcomeOf } from "./session-limits/calls.ts";

/** As many may wait as `createPasswordHasher` says. */
const WAITING = 100;
const TOO_MANY = 20;

let server: TestServer;
let slow: string;
let quick: string[];
beforeAll(async () => {
  quick = [];
  server = await startTestServer("pglite", {
    // Nothing is hashed anew, so each sign-in wants a thread once.
    config: { passwordRehash: false },
    prepare: async (opened) => {
      slow = await addHuman(opened, importedHash(2_000_000));
      for (let count = 0; count < WAITING + TOO_MANY; count++) quick.push(await addHuman(opened));
    },
  });
});
afterAll(() => server.close());

test("whoever comes when too many passwords wait is told so, and everybody before is served", async () => {
  const { sessions } = callsOf(server, server.adminToken);
  const signIn = (userId: string) =>
    outcomeOf(sessions("CreateSession", { checks: { user: { userId }, password: { password: PASSWORD } } }));
  const first = Array.from({ length: defaultParallel() }, () => signIn(slow));
  // Behind the ones that keep all threads busy.
  const outcomes = await Promise.all(quick.map(signIn));
  expect(await Promise.all(first)).toEqual(first.map(() => "ok"));
  expect(outcomes.filter((outcome) => outcome === "ok")).toHaveLength(WAITING);
  const refused = outcomes.filter((outcome) => outcome !== "ok");
  expect(new Set(refused)).toEqual(
    new Set(["[resource_exhausted] too many password checks at once, try again"]),
  );
});
