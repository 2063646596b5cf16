import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createTestDatabase, engines, type TestDatabase } from "../support/databases.ts";
import { environmentOf, runGatehouse, type ServingProcess, serveGatehouse } from "./gatehouse-process.ts";
import { within } from "./poll.ts";
import { created, type Details, detailsOf, metadata, Sessions, tokenOf } from "./session-calls.ts";

/** What the clients know of a session: what was acknowledged, and what was asked when the server died. */
type Known = {
  id: string;
  token: string;
  /** Replaced by an acknowledged SetSession. */
  oldTokens: string[];
  ended?: Details;
  /** Asked and never answered: it may have happened or not. */
  unanswered?: "set" | "delete";
};

const CLIENTS = 16;
const ROUNDS = 3;

/** Calls until the server is gone; `onAcknowledged` is told of every answer. */
async function client(sessions: Sessions, known: Known[], onAcknowledged: () => void): Promise<void> {
  for (let turn = 0; ; turn++) {
    try {
      const { id, token } = await created(sessions, metadata("turn", String(turn)));
      const session: Known = { id, token, oldTokens: [] };
      known.push(session);
      onAcknowledged();
      for (let sets = turn % 3; sets > 0; sets--) {
        session.unanswered = "set";
        const next = tokenOf(await sessions.set(id, metadata("sets", String(sets))));
        session.oldTokens.push(session.token);
        session.token = next;
        delete session.unanswered;
        onAcknowledged();
      }
      if (turn % 2 === 0) {
        session.unanswered = "delete";
        session.ended = detailsOf(await sessions.delete(id));
        delete session.unanswered;
        onAcknowledged();
      }
    } catch (error) {
      // What fetch throws when nobody answers; a refusal by the server is an Error of ours.
      if (error instanceof TypeError || (error as Error).name === "SyntaxError") return;
      throw error;
    }
  }
}

/** Runs clients against the server and kills it at a moment nobody chose. */
async function killUnderLoad(server: ServingProcess): Promise<Known[]> {
  const known: Known[] = [];
  const killAfter = 50 + Math.floor(Math.random() * 100);
  let acknowledged = 0;
  const onAcknowledged = () => {
    acknowledged += 1;
    if (acknowledged === killAfter) server.signal("SIGKILL");
  };
  const sessions = new Sessions(server.url);
  await Promise.all(Array.from({ length: CLIENTS }, () => client(sessions, known, onAcknowledged)));
  expect(await server.exit).toEqual({ code: null, signal: "SIGKILL" });
  expect(acknowledged).toBeGreaterThanOrEqual(killAfter);
  return known;
}

async function expectKept(sessions: Sessions, session: Known): Promise<void> {
  const { id, token, oldTokens, ended, unanswered } = session;
  for (const old of oldTokens) expect((await sessions.get(id, old)).code).not.toBe("ok");
  if (ended !== undefined) {
    expect(await sessions.get(id)).toMatchObject({ code: "not_found" });
    expect(await sessions.get(id, token)).toMatchObject({ code: "not_found" });
    expect(detailsOf(await sessions.delete(id))).toEqual(ended);
  } else if (unanswered === "delete") {
    const alive = (await sessions.get(id, token)).code;
    expect(["ok", "not_found"]).toContain(alive);
    expect((await sessions.get(id)).code).toBe(alive);
  } else if (unanswered === "set") {
    // The token is the old one, or one that nobody got to know; the session goes on either way.
    expect(await sessions.get(id)).toMatchObject({ code: "ok" });
    expect(["ok", "permission_denied"]).toContain((await sessions.get(id, token)).code);
    const next = tokenOf(await sessions.set(id, metadata("after", "the crash")));
    expect(await sessions.get(id, token)).toMatchObject({ code: "permission_denied" });
    Object.assign(session, { token: next, oldTokens: [...oldTokens, token] });
    delete session.unanswered;
  } else {
    expect(await sessions.get(id, token)).toMatchObject({ code: "ok" });
  }
}

describe.each(engines)("a server on %s, killed under load", (engine) => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await createTestDatabase(engine);
    if (engine === "pglite") {
      // As it is where nobody has turned it off for tests.
      await appendFile(join(database.config.dataDir!, "pglite", "postgresql.conf"), "fsync = on\n");
    }
  });
  afterEach(() => database.remove());

  it("has forgotten nothing it acknowledged, round after round", { timeout: 120_000 }, async () => {
    const environment = { ...environmentOf(database.config), GATEHOUSE_LOG_LEVEL: "info" };
    const known: Known[] = [];
    let server = await serveGatehouse(environment);
    for (let round = 1; round <= ROUNDS; round++) {
      known.push(...(await killUnderLoad(server)));
      server = await serveGatehouse(environment);
      const sessions = new Sessions(server.url);
      await Promise.all(known.map((session) => expectKept(sessions, session)));
    }
    server.signal("SIGTERM");
    expect(await within("the stop", 10_000, server.exit)).toEqual({ code: 0, signal: null });

    const verified = await runGatehouse(["projections", "verify", "--json"], environment);
    expect(verified).toMatchObject({ code: 0, stderr: "" });
    const { aggregates, differences } = JSON.parse(verified.stdout);
    expect(differences).toEqual([]);
    expect(aggregates).toBeGreaterThanOrEqual(known.length);
  });
});
