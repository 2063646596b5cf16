import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { engines } from "../support/databases.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";
import { addHuman, eventTypes, lockAfter, PASSWORD } from "./people.ts";
import { type Answer, created, metadata, Sessions, tokenOf } from "./session-calls.ts";

const MAX_ATTEMPTS = 5;

const count = (types: string[], type: string) => types.filter((each) => each === type).length;

/** The failed attempts a refusal tells the client. */
function failedAttempts({ body }: Answer): number {
  const { debug } = (body.details as { debug: { failedAttempts?: number } }[])[0]!;
  return Number(debug.failedAttempts);
}

describe.each(engines)("a burst on one aggregate on %s", (engine) => {
  let server: TestServer;
  let sessions: Sessions;
  let target: string;
  let bystander: string;

  beforeAll(async () => {
    server = await startTestServer(engine, {
      prepare: async (database) => {
        target = await addHuman(database);
        bystander = await addHuman(database);
        await lockAfter(database, MAX_ATTEMPTS);
      },
    });
    sessions = new Sessions(server.url);
  });
  afterAll(() => server.close());

  it("changes a session 200 times at once, and leaves one valid token", async () => {
    const { id, token } = await created(sessions);
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => sessions.set(id, metadata("change", String(index)))),
    );
    const tokens = answers.map(tokenOf);
    const all = [token, ...tokens];
    const reads = await Promise.all(all.map((each) => sessions.get(id, each)));
    const valid = all.filter((_, index) => reads[index]!.code === "ok");
    const { session } = (await sessions.get(id)).body as { session: { sequence: string; metadata: object } };
    // session.added and its token, then metadata and token 200 times.
    expect(session.sequence).toBe("402");
    expect(valid).toHaveLength(1);
    // The token that stayed valid is the one whose change stayed.
    expect(session.metadata).toEqual(metadata("change", String(tokens.indexOf(valid[0]!))).metadata);
  });

  it("checks a user in 20 sessions at once, and none of them is told to try again", async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, async () => (await created(sessions)).id));
    const checks = { user: { userId: bystander }, password: { password: PASSWORD } };
    const answers = await Promise.all(ids.map((id) => sessions.set(id, { checks })));
    expect(answers.map(({ code }) => code)).toEqual(ids.map(() => "ok"));
  });

  it("spends 5 attempts on 1000 wrong passwords at once, locks the user once, and refuses all the others", async () => {
    const attempt = () =>
      sessions.create({ checks: { user: { userId: target }, password: { password: "Wrong-Horse-8" } } });
    const answers = await Promise.all(Array.from({ length: 1_000 }, attempt));
    const wrong = answers.filter(({ code }) => code === "invalid_argument");
    const others = answers.filter(({ code }) => code !== "invalid_argument");
    const locked = "failed_precondition: Errors.User.NotActive (SESSION-Gj4ko)";

    expect(wrong.map(failedAttempts).sort()).toEqual([1, 2, 3, 4, 5]);
    expect(new Set(wrong.map(({ message }) => message))).toEqual(
      new Set(["password is invalid (COMMAND-3M0fs)"]),
    );
    const refusals = new Set(others.map(({ code, message }) => `${code}: ${message}`));
    expect([...refusals]).toEqual([locked]);
    const events = await eventTypes(server.database, "user", target);
    expect(count(events, "user.human.password.check.failed")).toBe(MAX_ATTEMPTS);
    expect(count(events, "user.locked")).toBe(1);
  });
});
