import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addHuman, PASSWORD } from "../../crash/people.ts";
import { streamOf } from "../../support/fixtures.ts";
import { startTestServer, type TestServer } from "../../support/test-server.ts";
import { type Calls, callsOf, outcomeOf } from "./calls.ts";

const LIMIT = 3;
const REFUSED = "[resource_exhausted] the user has as many live sessions as are allowed (GATE-L1mUs)";

describe("sessions of one user begun at the same time on two nodes", () => {
  let server: TestServer;
  let people: string[];
  let nodes: Calls[];
  beforeAll(async () => {
    people = [];
    server = await startTestServer("postgres", {
      prepare: async (opened) => {
        for (let count = 0; count < 6; count++) people.push(await addHuman(opened));
      },
    });
    const urls = [server.url, (await server.startAnother()).url];
    nodes = urls.map((url) => callsOf({ url }, server.adminToken));
  });
  afterAll(() => server.close());

  const limit = (policy: "REFUSE" | "END_OLDEST") =>
    nodes[0]!.settings("SetSessionSettings", {
      settings: { concurrency: { maxSessionsPerUser: LIMIT, policy: `CONCURRENCY_POLICY_${policy}` } },
    });

  /** Counts what becomes of so many calls, half of them on each node. */
  async function outcomesOf(
    size: number,
    call: (sessions: Calls["sessions"], index: number) => Promise<JsonObject>,
  ): Promise<Record<string, number>> {
    const outcomes = await Promise.all(
      Array.from({ length: size }, (_, index) => outcomeOf(call(nodes[index % 2]!.sessions, index))),
    );
    const counts: Record<string, number> = {};
    for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
    return counts;
  }

  const liveOf = async (userId: string): Promise<number> => {
    const queries = [{ userIdQuery: { id: userId } }];
    const { details } = await nodes[1]!.sessions("ListSessions", { queries });
    return Number((details as JsonObject).totalResult ?? 0);
  };

  /** How every session of a user has ended, by reason: one that ended twice would be counted twice. */
  async function endings(userId: string): Promise<Record<string, number>> {
    const opened = await server.database.open();
    try {
      const counts: Record<string, number> = {};
      const rows = await opened.db.selectFrom("sessions").select("id").where("userId", "=", userId).execute();
      for (const { id } of rows) {
        for (const { type, payload } of await streamOf(opened, "session", id)) {
          if (type !== "session.terminated" && type !== "session.expired") continue;
          const { reason = type } = payload as { reason?: string };
          counts[reason] = (counts[reason] ?? 0) + 1;
        }
      }
      return counts;
    } finally {
      await opened.close();
    }
  }

  const proofs: [string, JsonObject][] = [
    ["the user named only", {}],
    ["the password too", { password: { password: PASSWORD } }],
  ];

  test.each(proofs)("are as many as allowed, and all others refused, with %s", async (_, proof) => {
    await limit("REFUSE");
    const userId = people.pop()!;
    const counts = await outcomesOf(200, (sessions) =>
      sessions("CreateSession", { checks: { user: { userId }, ...proof } }),
    );
    expect(counts).toEqual({ ok: LIMIT, [REFUSED]: 200 - LIMIT });
    expect(await liveOf(userId)).toBe(LIMIT);
  });

  test.each(proofs)("replace each other until as many as allowed are left, with %s", async (_, proof) => {
    await limit("END_OLDEST");
    const userId = people.pop()!;
    const counts = await outcomesOf(200, (sessions) =>
      sessions("CreateSession", { checks: { user: { userId }, ...proof } }),
    );
    expect(counts).toEqual({ ok: 200 });
    expect(await liveOf(userId)).toBe(LIMIT);
    expect(await endings(userId)).toEqual({ replaced: 200 - LIMIT });
  });

  test("are counted as well where anonymous sessions get their user", async () => {
    const anonymous = await Promise.all(
      Array.from({ length: 60 }, async (_, index) => {
        const { sessionId } = await nodes[index % 2]!.sessions("CreateSession", {});
        return sessionId as string;
      }),
    );
    const claim = (userId: string, ids: string[]) => (sessions: Calls["sessions"], index: number) =>
      sessions("SetSession", { sessionId: ids[index]!, checks: { user: { userId } } });
    await limit("REFUSE");
    const [refused, replaced] = [people.pop()!, people.pop()!];
    const refusals = await outcomesOf(30, claim(refused, anonymous.slice(0, 30)));
    expect(refusals).toEqual({ ok: LIMIT, [REFUSED]: 30 - LIMIT });
    expect(await liveOf(refused)).toBe(LIMIT);

    await limit("END_OLDEST");
    expect(await outcomesOf(30, claim(replaced, anonymous.slice(30)))).toEqual({ ok: 30 });
    expect(await liveOf(replaced)).toBe(LIMIT);
    expect(await endings(replaced)).toEqual({ replaced: 30 - LIMIT });
  });
});
