import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { uuidV7 } from "../../src/crypto/random-ids.ts";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../src/gen/grpc/health/v1/health_pb.js";
import { SessionService } from "../../src/gen/zitadel/session/v2/session_service_pb.js";
import { projections } from "../../src/projections/projections.ts";
import { uniqueConstraints } from "../../src/projections/unique-constraints.ts";
import { change } from "../../src/storage/aggregate.ts";
import { openPostgres } from "../../src/storage/database.ts";
import { EventRepository } from "../../src/storage/event-repository.ts";
import { initialUser, userAggregate } from "../../src/user/user.ts";
import { createTestDatabase, type TestDatabase } from "../support/databases.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";
import { ADMIN_TOKEN } from "../support/test-config.ts";
import { environmentOf, runGatehouse, type ServingProcess, serveGatehouse } from "./gatehouse-process.ts";
import { until, within } from "./poll.ts";
import { type DatabaseProxy, startProxy } from "./proxy.ts";
import { created, detailsOf, expectOk, metadata, Sessions, tokenOf } from "./session-calls.ts";

const ready = async (url: string) => (await fetch(`${url}/debug/ready`)).status === 200;
const alive = async (url: string) => (await fetch(`${url}/debug/healthz`)).text();

const restCreate = (url: string) =>
  fetch(`${url}/v2/sessions`, {
    method: "POST",
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
    body: "{}",
  });

const grpcCreate = (url: string) =>
  createClient(SessionService, createGrpcTransport({ baseUrl: url })).createSession(
    {},
    { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } },
  );

const grpcHealth = async (url: string) =>
  (await createClient(Health, createGrpcTransport({ baseUrl: url })).check({})).status;

/** Ends a PostgreSQL without a word to its clients and without a clean shutdown; the next start recovers. */
async function crash(postgres: TestPostgres): Promise<void> {
  const client = new pg.Client({ connectionString: postgres.url("postgres") });
  client.on("error", () => {});
  await client.connect();
  const { rows } = await client.query<{ path: string }>("SELECT current_setting('data_directory') AS path");
  const pidFile = join(rows[0]!.path, "postmaster.pid");
  const [pid] = (await readFile(pidFile, "utf8")).split("\n");
  // An immediate shutdown (PostgreSQL documentation, 18.5).
  process.kill(Number(pid), "SIGQUIT");
  await until("PostgreSQL to be gone", () => !existsSync(pidFile));
}

describe("a server whose PostgreSQL goes away", () => {
  let postgres: TestPostgres;
  let directory: string;
  let server: ServingProcess;
  let environment: Record<string, string>;

  beforeAll(async () => {
    postgres = await startPostgres();
    await postgres.createDatabase("gatehouse");
    directory = await mkdtemp(join(tmpdir(), "gatehouse-outage-"));
    environment = environmentOf({ dataDir: directory, databaseUrl: postgres.url("gatehouse") });
  });
  afterAll(async () => {
    await postgres.remove();
    await rm(directory, { recursive: true, force: true });
  });

  it("refuses with UNAVAILABLE, lives on, and serves again when the database does", async () => {
    server = await serveGatehouse(environment);
    const sessions = new Sessions(server.url);
    const acknowledged: { id: string; token: string }[] = [];
    const codes = new Set<string>();
    let down = false;
    let refusedSinceDown = 0;
    // Calls are under way at every moment, also at the one the database dies.
    const client = async () => {
      while (refusedSinceDown < 100) {
        const answer = await within("an answer", 10_000, sessions.create());
        codes.add(answer.code);
        if (answer.code === "ok") {
          acknowledged.push({ id: String(answer.body.sessionId), token: tokenOf(answer) });
        } else if (down) refusedSinceDown += 1;
      }
    };
    const clients = Promise.all(Array.from({ length: 16 }, client));
    await until("calls to be under way", () => acknowledged.length > 50);
    await crash(postgres);
    down = true;
    await within("the clients", 15_000, clients);
    expect([...codes].sort()).toEqual(["ok", "unavailable"]);

    expect(await alive(server.url)).toBe("ok");
    expect((await fetch(`${server.url}/debug/ready`)).status).toBe(412);
    await until("gRPC health to say so", async () => (await grpcHealth(server.url)) === Status.NOT_SERVING);
    expect((await restCreate(server.url)).status).toBe(503);
    await expect(grpcCreate(server.url)).rejects.toMatchObject({ code: Code.Unavailable });

    await postgres.start();
    await until("the server to be ready", () => ready(server.url));
    await until("gRPC health to say so", async () => (await grpcHealth(server.url)) === Status.SERVING);
    const answers = await Promise.all(acknowledged.map(({ id, token }) => sessions.get(id, token)));
    expect(answers.map(({ code }) => code)).toEqual(acknowledged.map(() => "ok"));
    await created(sessions);

    server.signal("SIGTERM");
    expect(await server.exit).toEqual({ code: 0, signal: null });
    const verified = await runGatehouse(["projections", "verify"], environment);
    expect(verified).toMatchObject({ code: 0, stderr: "" });
  });

  it("says in one line that it cannot start, and ends", async () => {
    await postgres.stop();
    const started = await runGatehouse(["serve"], environment);
    await postgres.start();
    expect(started.code).toBe(1);
    expect(started.stdout).toBe("");
    expect(started.stderr).toMatch(/^gatehouse: 127\.0\.0\.1:\d+ refuses connections\n {2}[^\n]+\n$/);
  });
});

describe("a server whose line to PostgreSQL breaks", () => {
  let database: TestDatabase;
  let proxy: DatabaseProxy;
  let server: ServingProcess;
  let sessions: Sessions;

  beforeEach(async () => {
    database = await createTestDatabase("postgres");
    proxy = await startProxy(database.config.databaseUrl!);
    server = await serveGatehouse(environmentOf({ ...database.config, databaseUrl: proxy.url }));
    sessions = new Sessions(server.url);
  });
  afterEach(async () => {
    await server.kill();
    await proxy.close();
    await database.remove();
  });

  it("gives up on a database that no longer answers, and takes it back when it does", async () => {
    const kept = await created(sessions);
    proxy.fallSilent();
    const calls = Array.from({ length: 20 }, () => sessions.create());
    const answers = await within("the refusal", 25_000, Promise.all(calls));
    expect(new Set(answers.map(({ code }) => code))).toEqual(new Set(["unavailable"]));
    expect(await alive(server.url)).toBe("ok");
    proxy.restore();
    await until("the server to be ready", () => ready(server.url));
    expect(await sessions.get(kept.id, kept.token)).toMatchObject({ code: "ok" });
    await created(sessions);
  });

  it("calls a change unavailable whose answer got lost, and does it once", async () => {
    const { id, token } = await created(sessions);
    proxy.loseAnswerTo("session.metadata.set");
    expect((await sessions.set(id, metadata("answer", "lost"))).code).toBe("unavailable");
    const { session } = (await sessions.get(id)).body as { session: { sequence: string; metadata: object } };
    // session.added, session.token.set; then metadata and token once more, and nothing after them.
    expect(session).toMatchObject({ sequence: "4", ...metadata("answer", "lost") });
    expect(await sessions.get(id, token)).toMatchObject({ code: "permission_denied" });
  });

  it("lets a client that never heard of its session's end ask again, and hear of that one end", async () => {
    const { id } = await created(sessions);
    proxy.loseAnswerTo("session.terminated");
    expect((await sessions.delete(id)).code).toBe("unavailable");
    expect(await sessions.get(id)).toMatchObject({ code: "not_found" });
    const ended = detailsOf(await sessions.delete(id));
    expect(ended.sequence).toBe("3");
    expect(detailsOf(await sessions.delete(id))).toEqual(ended);
  });

  it("acknowledges what it knows to be stored, whatever becomes of the rest of the batch", async () => {
    const opened = openPostgres(proxy.url);
    const events = new EventRepository(opened.db, projections, { uniqueSlugs: uniqueConstraints });
    const add = (userName: string) => {
      const payload = { organizationId: "o", userName, name: userName, accessTokenType: 0 };
      const added = { type: "user.machine.added" as const, payload };
      return events.append([change(userAggregate, initialUser(uuidV7()), [added], "tester")]);
    };
    await add("taken");
    // The batch fails for the second name, so its units are written one by one; then the third one's answer is lost.
    proxy.loseAnswerTo("third", 2);
    const outcomes = await Promise.allSettled(["first", "taken", "third"].map(add));
    expect(outcomes).toMatchObject([
      { status: "fulfilled" },
      { reason: { slug: "user.name_exists" } },
      { reason: { slug: "storage.unavailable" } },
    ]);
    await opened.close();
  });

  it("writes no unit of a batch twice when the batch's answer got lost", async () => {
    proxy.loseAnswerTo("session.added");
    const answers = await Promise.all(Array.from({ length: 40 }, () => sessions.create()));
    expect(answers.filter(({ code }) => code !== "ok").map(({ code }) => code)).toContain("unavailable");
    const { details } = expectOk(await sessions.list()).body as { details: { totalResult: string } };
    // What was lost was the answer, not the deed: every session is there, and none of them twice.
    expect(Number(details.totalResult)).toBe(40);
  });
});
