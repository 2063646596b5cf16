import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { startServer } from "../../src/server.ts";
import { testConfig } from "../support/test-config.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";
import { addHuman, eventTypes, PASSWORD } from "./people.ts";
import { type Answer, call, created, detailsOf, metadata, Sessions, tokenOf } from "./session-calls.ts";

describe("two nodes on one PostgreSQL", () => {
  let server: TestServer;
  let urls: string[];
  let nodes: [Sessions, Sessions];
  let userId: string;
  const signedIn = () => ({ checks: { user: { userId }, password: { password: PASSWORD } } });

  beforeAll(async () => {
    server = await startTestServer("postgres", {
      prepare: async (database) => {
        userId = await addHuman(database);
      },
    });
    urls = [server.url, (await server.startAnother()).url];
    nodes = [new Sessions(urls[0]!), new Sessions(urls[1]!)];
  });
  afterAll(() => server.close());

  it("read what the other one acknowledged, at once and every time", async () => {
    const oneLife = async (writer: Sessions, reader: Sessions) => {
      const { id, token } = await created(writer);
      expect(await reader.get(id, token)).toMatchObject({ code: "ok" });
      expect((await reader.list(id)).body).toMatchObject({ details: { totalResult: "1" } });

      const next = tokenOf(await writer.set(id, metadata("key", "value")));
      expect(await reader.get(id, token)).toMatchObject({ code: "permission_denied" });
      expect(await reader.get(id, next)).toMatchObject({
        body: { session: metadata("key", "value") },
      });

      const ended = detailsOf(await writer.delete(id));
      expect(await reader.get(id, next)).toMatchObject({ code: "not_found" });
      expect(await reader.set(id, metadata("too", "late"))).toMatchObject({ code: "failed_precondition" });
      expect((await reader.list(id)).body).not.toHaveProperty("sessions");
      expect(detailsOf(await reader.delete(id))).toEqual(ended);
    };
    const [a, b] = nodes;
    // One after the other there is hardly a moment between write and read; all at once there is much to mix up.
    for (let life = 0; life < 10; life++) await oneLife(a, b);
    await Promise.all(
      Array.from({ length: 60 }, (_, index) => (index % 2 === 0 ? oneLife(a, b) : oneLife(b, a))),
    );
  });

  it("refuse a token as credential as soon as the other one replaced it or ended its session", async () => {
    const [a] = nodes;
    const { id, token } = await created(a, signedIn());
    const asCredential = (bearer: string) => new Sessions(urls[1]!, bearer).list(id);
    expect(await asCredential(token)).toMatchObject({ code: "ok" });
    const next = tokenOf(await a.set(id, metadata("key", "value")));
    expect(await asCredential(token)).toMatchObject({ code: "permission_denied" });
    expect(await asCredential(next)).toMatchObject({ code: "ok" });
    await a.delete(id);
    expect(await asCredential(next)).toMatchObject({ code: "not_found" });
  });

  it("never leave a live token behind an acknowledged end, whoever changes and ends at the same time", async () => {
    const step = fc.record({
      node: fc.constantFrom(0, 1),
      act: fc.constantFrom("set" as const, "delete" as const),
      /** Steps before it that are waited for. */
      after: fc.nat({ max: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 8 }),
        fc.nat({ max: 8 }),
        fc.constantFrom(0, 1),
        async (steps, place, endingNode) => {
          const { id, token } = await created(nodes[0], signedIn());
          const tokens = [token];
          const dead = async (known: string[]) => {
            for (const node of nodes) {
              for (const each of known) expect((await node.get(id, each)).code).toBe("not_found");
            }
            for (const [index, each] of known.entries()) {
              const { code } = await call(urls[index % 2]!, "ListSessions", {}, each);
              expect(code).toBe("not_found");
            }
          };
          const ends: Answer[] = [];
          const acts = {
            set: async (node: Sessions) => {
              const answer = await node.set(id, metadata("set", randomUUID()));
              expect(["ok", "failed_precondition"]).toContain(answer.code);
              if (answer.code === "ok") tokens.push(tokenOf(answer));
            },
            delete: async (node: Sessions) => {
              ends.push(await node.delete(id));
              await dead([...tokens]);
            },
          };
          const all = [...steps];
          all.splice(place, 0, { node: endingNode, act: "delete", after: 0 });
          const running: Promise<void>[] = [];
          for (const { node, act, after } of all) {
            await Promise.all(after === 0 ? [] : running.slice(-after));
            running.push(acts[act](nodes[node]!));
          }
          await Promise.all(running);

          await dead(tokens);
          expect(new Set(ends.map((end) => JSON.stringify(detailsOf(end)))).size).toBe(1);
          const events = await eventTypes(server.database, "session", id);
          expect(events.filter((type) => type === "session.terminated")).toHaveLength(1);
          expect(events.at(-1)).toBe("session.terminated");
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe("first starts on one empty PostgreSQL at the same time", () => {
  let directory: string;
  const databases: string[] = [];
  const template = () => new URL(inject("postgresTemplate"));
  const maintain = async (statement: string) => {
    const client = new pg.Client({ connectionString: new URL("/postgres", template()).href });
    await client.connect();
    await client.query(statement);
    await client.end();
  };
  const emptyDatabase = async () => {
    const name = `empty_${randomUUID().replaceAll("-", "")}`;
    await maintain(`CREATE DATABASE ${name}`);
    databases.push(name);
    return new URL(`/${name}`, template()).href;
  };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "gatehouse-first-starts-"));
  });
  afterAll(async () => {
    for (const name of databases) await maintain(`DROP DATABASE ${name} WITH (FORCE)`);
    await rm(directory, { recursive: true, force: true });
  });

  it("make one instance, and every node serves it", async () => {
    for (let round = 0; round < 3; round++) {
      const databaseUrl = await emptyDatabase();
      const starts = Array.from({ length: 4 }, (_, index) =>
        startServer(testConfig({ databaseUrl, dataDir: join(directory, `${round}-${index}`) })),
      );
      const servers = await Promise.all(starts);
      const sessions = servers.map(({ url }) => new Sessions(url));
      const { id, token } = await created(sessions[0]!);
      for (const node of sessions) expect(await node.get(id, token)).toMatchObject({ code: "ok" });
      await Promise.all(servers.map((server) => server.close()));
    }
  });

  it.each([
    ["a directory of its own", (index: number) => String(index)],
    ["one directory for all", () => "shared"],
  ])("keep only a token that lets the administrator in, in %s", async (_, nameOf) => {
    const databaseUrl = await emptyDatabase();
    const root = await mkdtemp(join(directory, "tokens-"));
    const starts = Array.from({ length: 4 }, (_, index) =>
      startServer(testConfig({ adminToken: undefined, databaseUrl, dataDir: join(root, nameOf(index)) })),
    );
    const servers = await Promise.all(starts);
    const shown = servers.flatMap(({ adminToken }) => adminToken?.shownOnce ?? []);
    const kept = await Promise.all(
      servers.flatMap(({ adminToken }) => (adminToken?.file ? [readFile(adminToken.file, "utf8")] : [])),
    );
    expect(kept.length).toBeGreaterThanOrEqual(1);
    expect(shown.length).toBeGreaterThanOrEqual(1);
    for (const token of [...shown, ...kept]) {
      expect(await new Sessions(servers[0]!.url, token.trim()).list()).toMatchObject({ code: "ok" });
    }
    await Promise.all(servers.map((server) => server.close()));
  });
});
