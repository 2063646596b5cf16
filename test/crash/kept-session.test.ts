import { setTimeout } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { startTestServer, type TestServer } from "../support/test-server.ts";
import { addHuman, eventTypes, importedHash, PASSWORD } from "./people.ts";
import { until } from "./poll.ts";
import { type Answer, call, created, metadata, Sessions } from "./session-calls.ts";

// Processes start slowly on a machine that is busy otherwise.
vi.setConfig({ testTimeout: 180_000 });

const fresh = { hash: importedHash(2) };

describe("a new password on one node, its session changed on the other", () => {
  let server: TestServer;
  let urls: string[];
  let nodes: [Sessions, Sessions];

  beforeAll(async () => {
    server = await startTestServer("postgres");
    urls = [server.url, (await server.startAnother()).url];
    nodes = [new Sessions(urls[0]!), new Sessions(urls[1]!)];
  });
  afterAll(() => server.close());

  async function newUser(): Promise<string> {
    const opened = await server.database.open();
    try {
      return await addHuman(opened);
    } finally {
      await opened.close();
    }
  }

  /** By the current password and the token of a session: as the user. */
  async function changePassword(userId: string, token: string): Promise<string> {
    const answer = await fetch(`${urls[0]}/zitadel.user.v2.UserService/UpdateHumanUser`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify({
        userId,
        password: { hashedPassword: fresh, currentPassword: PASSWORD },
      }),
    });
    return answer.ok ? "ok" : ((await answer.json()) as { code: string }).code;
  }

  const rival = fc.record({
    act: fc.constantFrom("note", "check", "password", "delete"),
    of: fc.constantFrom("own", "other"),
    afterMs: fc.constantFrom(0, 0, 1, 2, 4, 8),
  } as const);

  it("leaves no session of the time before it alive but that one, and ends none twice", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(rival, { minLength: 1, maxLength: 6 }), async (rivals) => {
        const userId = await newUser();
        const user = { checks: { user: { userId } } };
        const signedIn = { checks: { user: { userId }, password: { password: PASSWORD } } };
        const own = await created(nodes[0], signedIn);
        const other = await created(nodes[1], signedIn);
        const ids = { own: own.id, other: other.id };
        const changes = {
          note: (id: string) => nodes[1].set(id, metadata("key", "value")),
          check: (id: string) => nodes[1].set(id, user),
          password: (id: string) => nodes[1].set(id, { checks: { password: { password: PASSWORD } } }),
          delete: (id: string) => nodes[1].delete(id),
        };
        const [changed, ...answers] = await Promise.all([
          changePassword(userId, own.token),
          ...rivals.map(async ({ act, of, afterMs }): Promise<Answer> => {
            await setTimeout(afterMs);
            return changes[act](ids[of]);
          }),
        ]);

        // Too late, or with a token that a change has just replaced; the change itself may come too late as well.
        expect(["ok", "not_found", "permission_denied"]).toContain(changed);
        for (const { code } of answers) {
          expect(["ok", "failed_precondition", "invalid_argument"]).toContain(code);
        }
        const isDeleted = (of: "own" | "other") =>
          rivals.some(({ act, of: whose }) => act === "delete" && whose === of);
        const isOver = { own: isDeleted("own"), other: isDeleted("other") || changed === "ok" };
        for (const of of ["own", "other"] as const) {
          for (const node of nodes) {
            expect((await node.get(ids[of])).code).toBe(isOver[of] ? "not_found" : "ok");
          }
          const stream = async () => eventTypes(server.database, "session", ids[of]);
          if (isOver[of]) {
            await until("the ending to be written down", async () =>
              (await stream()).includes("session.terminated"),
            );
          }
          const types = await stream();
          const count = (type: string) => types.filter((each) => each === type).length;
          expect(count("session.terminated")).toBe(isOver[of] ? 1 : 0);
          expect(count("session.kept")).toBeLessThanOrEqual(of === "own" && changed === "ok" ? 1 : 0);
          if (of === "own" && changed === "ok" && !isOver.own) expect(count("session.kept")).toBe(1);
        }
        const told = await eventTypes(server.database, "user", userId);
        expect(told.filter((type) => type === "user.sessions.ended")).toHaveLength(changed === "ok" ? 1 : 0);
        if (isOver.own) expect((await call(urls[1]!, "ListSessions", {}, own.token)).code).toBe("not_found");
      }),
      { numRuns: 25 },
    );
  });
});
