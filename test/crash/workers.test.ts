import { once } from "node:events";
import { readFileSync } from "node:fs";
import * as http from "node:http";
import * as net from "node:net";
import { join } from "node:path";
import * as tls from "node:tls";
import { sql } from "kysely";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createTestDatabase, onMaintenanceDatabase, type TestDatabase } from "../support/databases.ts";
import { Connection } from "./connection.ts";
import {
  environmentOf,
  logged,
  runGatehouse,
  type ServingProcess,
  serveGatehouse,
} from "./gatehouse-process.ts";
import { addHuman, eventTypes, importedHash, lockAfter, PASSWORD } from "./people.ts";
import { until, within } from "./poll.ts";
import { created, expectOk, metadata, Sessions, tokenOf } from "./session-calls.ts";

const WORKERS = 2;
const DATABASE_CONNECTIONS = 4;
const control = "gatehouse.session.v1.SessionControlService";

let database: TestDatabase;
let environment: Record<string, string>;
let server: ServingProcess;

async function prepare(): Promise<void> {
  database = await createTestDatabase("postgres");
  environment = {
    ...environmentOf(database.config),
    GATEHOUSE_WORKERS: String(WORKERS),
    GATEHOUSE_DATABASE_POOL_SIZE: String(DATABASE_CONNECTIONS),
  };
}

function placeOf({ config }: TestDatabase): { url: URL; name: string } {
  const url = new URL(config.databaseUrl!);
  return { url, name: url.pathname.slice(1) };
}

/** One connection to each worker. */
async function connectToEach(): Promise<[Connection, Connection]> {
  const connections = [await Connection.to(server), await Connection.to(server)] as const;
  expect(connections[0].pid).not.toBe(connections[1].pid);
  return [...connections];
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${server.url}/debug/metrics`)).text();
  const lines = text.split("\n").filter((line) => line.startsWith(name));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

const ENDINGS = "gatehouse_endings_written_total";

/** Ends so many new sessions by a filter; the worker that is asked writes the endings down itself. */
async function endByFilter(connection: Connection, count: number): Promise<void> {
  const ids = await Promise.all(
    Array.from({ length: count }, async () =>
      String(expectOk(await connection.call("CreateSession", {})).body.sessionId),
    ),
  );
  expectOk(await connection.call(`${control}/EndSessions`, { filter: { sessionIds: ids } }));
}

describe("two workers on one port", () => {
  let pair: [Connection, Connection];

  beforeAll(async () => {
    await prepare();
    server = await serveGatehouse(environment, { outlivesTest: true });
    pair = await connectToEach();
  });
  afterAll(async () => {
    for (const connection of pair) connection.close();
    await server.kill();
    await database.remove();
  });

  it("say once that they are up, and share eight connections evenly, whenever these come", async () => {
    expect(server.logs.filter(({ msg }) => msg === "listening")).toEqual([
      expect.objectContaining({ pid: server.pid, workers: WORKERS, url: server.url }),
    ]);
    expect(server.stderr().match(/is listening on/g)).toHaveLength(1);
    expect(server.port).not.toBe(0);
    expect(pair.map(({ pid }) => pid)).not.toContain(server.pid);

    const few = [await Connection.to(server), await Connection.to(server)];
    const more = await Promise.all(Array.from({ length: 6 }, () => Connection.to(server)));
    const shares = pair.map(({ pid }) => [...few, ...more].filter((each) => each.pid === pid).length);
    expect(shares).toEqual([4, 4]);
    // Those of one worker go: the next ones are its own.
    const left = [...few, ...more].filter(({ pid }) => pid === pair[0].pid);
    for (const connection of left) connection.close();
    await until("the next connections to go where the fewest are", async () => {
      const next = await Promise.all(Array.from({ length: 4 }, () => Connection.to(server)));
      for (const connection of next) connection.close();
      return next.every(({ pid }) => pid === pair[0].pid);
    });
    for (const connection of [...few, ...more]) connection.close();
  });

  it("are one about a session, whoever changes, ends and reads it at the same time", async () => {
    const life = async (writer: Connection, reader: Connection) => {
      const first = expectOk(await writer.call("CreateSession", {}));
      const sessionId = String(first.body.sessionId);
      const next = tokenOf(await reader.call("SetSession", { sessionId, ...metadata("key", "value") }));
      const get = (connection: Connection, sessionToken: string) =>
        connection.call("GetSession", { sessionId, sessionToken });
      expect(await get(writer, tokenOf(first))).toMatchObject({ code: "permission_denied" });
      expect(await get(writer, next)).toMatchObject({ code: "ok" });
      const ends = await Promise.all(
        [writer, reader].map(async (connection, index, both) => {
          const end = expectOk(await connection.call("DeleteSession", { sessionId }));
          expect(await get(both[1 - index]!, next)).toMatchObject({ code: "not_found" });
          return end.body.details;
        }),
      );
      expect(ends[0]).toEqual(ends[1]);
    };
    const [a, b] = pair;
    await Promise.all(Array.from({ length: 40 }, (_, index) => (index % 2 ? life(a, b) : life(b, a))));

    // That took as many connections as there are, and they are shared out.
    const opened = await database.open();
    const { rows } = await sql<{ count: number }>`
      SELECT count(*) AS count FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()`.execute(opened.db);
    await opened.close();
    expect(rows).toEqual([{ count: DATABASE_CONNECTIONS }]);
  });

  it("lock a user at the limit exactly, however the guesses are spread", async () => {
    const opened = await database.open();
    const userId = await addHuman(opened);
    await lockAfter(opened, 5);
    await opened.close();
    const guess = (connection: Connection) =>
      connection.call("CreateSession", { checks: { user: { userId }, password: { password: "wrong" } } });
    const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => guess(pair[index % 2]!)));
    expect(new Set(answers.map(({ code }) => code))).not.toContain("ok");
    const types = await eventTypes(database, "user", userId);
    expect(types.filter((type) => type === "user.human.password.check.failed")).toHaveLength(5);
    expect(types.filter((type) => type === "user.locked")).toHaveLength(1);
    const right = { checks: { user: { userId }, password: { password: PASSWORD } } };
    for (const connection of pair)
      expect((await connection.call("CreateSession", right)).code).not.toBe("ok");
  });

  it("let a user have as many sessions as the limit says, on both together", async () => {
    const opened = await database.open();
    const userId = await addHuman(opened);
    await opened.close();
    const change = await fetch(`${server.url}/gatehouse/v1/settings/session`, {
      method: "PUT",
      headers: {
        authorization: `Bearer ${environment.GATEHOUSE_ADMIN_TOKEN}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({
        settings: { concurrency: { maxSessionsPerUser: 3, policy: "CONCURRENCY_POLICY_REFUSE" } },
      }),
    });
    expect(change.status).toBe(200);
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        pair[index % 2]!.call("CreateSession", { checks: { user: { userId } } }),
      ),
    );
    const codes = answers.map(({ code }) => code);
    expect(codes.filter((code) => code === "ok")).toHaveLength(3);
    expect(new Set(codes)).toEqual(new Set(["ok", "resource_exhausted"]));
  });

  it("count together, whichever of them is asked", async () => {
    expect(await metric("gatehouse_workers ")).toBe(WORKERS);
    const before = await metric(ENDINGS);
    await Promise.all([endByFilter(pair[0], 5), endByFilter(pair[1], 7)]);
    await until("all to be counted", async () => (await metric(ENDINGS)) === before + 12);
    for (let ask = 0; ask < 4; ask++) expect(await metric(ENDINGS)).toBe(before + 12);
  });

  it("lose one to kill -9: the other goes on, another takes its place, no answer, count or connection is lost", async () => {
    const [victim, survivor] = pair;
    await endByFilter(victim, 3);
    const counted = await metric(ENDINGS);
    const kept: { id: string; token: string }[] = [];
    let over = false;
    const sessions = new Sessions(server.url);
    const client = async () => {
      while (!over) {
        // A connection that was the victim's breaks; the next one is somebody else's.
        await created(sessions).then(
          (session) => kept.push(session),
          (error) => expect(error).toBeInstanceOf(TypeError),
        );
      }
    };
    const readings: number[] = [];
    const scraper = async () => {
      while (!over) {
        await metric(ENDINGS).then(
          (value) => readings.push(value),
          (error) => expect(error).toBeInstanceOf(TypeError),
        );
      }
    };
    const load = Promise.all([scraper(), ...Array.from({ length: 4 }, client)]);
    await until("calls to be under way", () => kept.length > 50);
    // Some connections are on their way to it when it dies.
    process.kill(victim.pid, "SIGSTOP");
    const late = Array.from({ length: 6 }, () => net.connect(server.port, "127.0.0.1"));
    let answered = 0;
    const answers = late.map(async (socket) => {
      socket.write("GET /debug/healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
      const [answer] = await once(socket, "data");
      answered += 1;
      return String(answer).slice(0, 15);
    });
    await until("the other one to answer", () => answered > 0);
    expect(answered).toBeLessThan(late.length);
    process.kill(victim.pid, "SIGKILL");
    expect(await Promise.all(answers)).toEqual(late.map(() => "HTTP/1.1 200 OK"));
    for (const socket of late) socket.destroy();
    expect(await logged(server, "worker ended, another one takes its place")).toMatchObject({
      worker: victim.pid,
      signal: "SIGKILL",
    });
    await logged(server, "worker serves");
    const keptSoFar = kept.length;
    await until("calls to go on", () => kept.length > keptSoFar + 50);
    over = true;
    await within("the clients", 10_000, load);

    const lines = server.logs.map(({ msg, pid }) => ({ msg, pid }));
    const meanwhile = lines.slice(
      lines.findIndex(({ msg }) => msg.startsWith("worker ended")),
      lines.findIndex(({ msg }) => msg === "worker serves"),
    );
    expect(meanwhile.filter(({ msg, pid }) => msg === "call" && pid === survivor.pid)).not.toEqual([]);
    expect(readings.length).toBeGreaterThan(5);
    expect(readings.every((value) => value >= counted)).toBe(true);
    expect(readings.toSorted((a, b) => a - b)).toEqual(readings);
    expect(await metric("gatehouse_workers ")).toBe(WORKERS);
    expect(await metric("gatehouse_workers_ended_total")).toBe(1);
    const reads = await Promise.all(
      kept.map(({ id, token }, index) =>
        index % 2
          ? sessions.get(id, token)
          : survivor.call("GetSession", { sessionId: id, sessionToken: token }),
      ),
    );
    expect(reads.filter(({ code }) => code !== "ok")).toEqual([]);
  });

  it("let one be told to end by SIGTERM, which answers what it has and has a successor", async () => {
    const [, leaver] = pair;
    const opened = await database.open();
    // A check that takes a second or so.
    const userId = await addHuman(opened, importedHash(3_000_000));
    await opened.close();
    const slow = leaver.call("CreateSession", {
      checks: { user: { userId }, password: { password: PASSWORD } },
    });
    await leaver.call("ListSessions", { query: { limit: 1 } });
    process.kill(leaver.pid, "SIGTERM");
    expect(await slow).toMatchObject({ code: "ok" });
    const ended = await until("it to end", () => server.logs.find((line) => line.worker === leaver.pid));
    expect(ended).toMatchObject({ level: 30, code: 0, startsInMs: 0 });
    await until("its successor", async () => (await metric("gatehouse_workers ")) === WORKERS);
    expect(await metric("gatehouse_workers_ended_total")).toBe(1);
  });

  it("give up when they end as soon as they are started, again and again", async () => {
    const successors = server.logs.filter(({ msg }) => msg === "worker serves").map(({ worker }) => worker);
    expect(successors).toHaveLength(WORKERS);
    // Workers that run keep their connections, new ones get none.
    const { url, name } = placeOf(database);
    await onMaintenanceDatabase(url, `ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
    const before = server.logs.length;
    for (const pid of successors) process.kill(Number(pid), "SIGKILL");
    expect(await within("the end", 40_000, server.exit)).toEqual({ code: 1, signal: null });
    const since = server.logs.slice(before);
    expect(since.at(-1)).toMatchObject({
      level: 60,
      msg: "workers end as soon as they are started",
      code: 1,
    });
    const ends = since.filter(({ msg }) => msg.startsWith("worker ended"));
    expect(ends.length).toBeGreaterThanOrEqual(3);
    expect(server.stderr()).toContain("is not currently accepting connections");
  });
});

/** Leaves of a database its name. */
async function empty(emptied: TestDatabase): Promise<void> {
  const { url, name } = placeOf(emptied);
  await onMaintenanceDatabase(url, `DROP DATABASE ${name} WITH (FORCE)`);
  await onMaintenanceDatabase(url, `CREATE DATABASE ${name}`);
}

/** A request that a worker has accepted and waits for the rest of: it says so by 100 Continue. */
async function accepted(agent: http.Agent): Promise<http.ClientRequest> {
  const request = http.request(`${server.url}/v2/sessions`, {
    agent,
    method: "POST",
    headers: {
      authorization: `Bearer ${environment.GATEHOUSE_ADMIN_TOKEN}`,
      "content-type": "application/json",
      "content-length": 2,
      expect: "100-continue",
    },
  });
  request.on("error", () => {});
  request.flushHeaders();
  await once(request, "continue");
  return request;
}

async function answerOf(request: http.ClientRequest): Promise<number | undefined> {
  const response = once(request, "response");
  request.end("{}");
  const [{ statusCode }] = (await response) as [http.IncomingMessage];
  return statusCode;
}

describe("a server with two workers", () => {
  beforeEach(prepare);
  afterEach(async () => {
    await server?.kill();
    await database.remove();
  });

  it("makes its first start once, answers on SIGTERM what both have accepted, and exits with 0", async () => {
    const { GATEHOUSE_ADMIN_TOKEN: _, ...withoutToken } = environment;
    await empty(database);
    server = await serveGatehouse(withoutToken);
    expect(server.stderr().match(/^(applying|creating) .*… done/gm)).toHaveLength(2);
    const { adminTokenFile } = await logged(server, "listening");
    environment.GATEHOUSE_ADMIN_TOKEN = readFileSync(String(adminTokenFile), "utf8").trim();
    const agent = new http.Agent({ keepAlive: true });
    const requests = await Promise.all(Array.from({ length: 8 }, () => accepted(agent)));
    server.signal("SIGTERM");
    await logged(server, "stopping");
    await until("new connections to be refused", () =>
      fetch(server.url).then(
        () => false,
        (error) => error.cause?.code === "ECONNREFUSED",
      ),
    );
    const statuses = await Promise.all(requests.map(answerOf));
    expect(statuses).toEqual(requests.map(() => 201));
    agent.destroy();
    expect(await within("the exit", 10_000, server.exit)).toEqual({ code: 0, signal: null });
    expect(server.logs.at(-1)).toMatchObject({ msg: "stopped", pid: server.pid });
    expect(server.logs.filter(({ level }) => Number(level) > 30)).toEqual([]);
    const pids = new Set(server.logs.filter(({ msg }) => msg === "call").map(({ pid }) => pid));
    expect(pids.size).toBe(WORKERS);
  });

  it("lets requests finish after Ctrl-C, which reaches all its processes, and ends at once by another", async () => {
    server = await serveGatehouse(environment, { detached: true });
    const toAll = () => process.kill(-server.pid, "SIGINT");
    const agent = new http.Agent({ keepAlive: true });
    const requests = await Promise.all(Array.from({ length: 4 }, () => accepted(agent)));
    toAll();
    await logged(server, "stopping");
    for (const request of requests.slice(1)) expect(await answerOf(request)).toBe(201);
    let exit: Awaited<typeof server.exit> | undefined;
    void server.exit.then((how) => {
      exit = how;
    });
    // Told again and again: too soon, it counts as the echo of the first.
    const repeated = until("the exit", () => {
      if (exit === undefined) toAll();
      return exit;
    });
    expect(await repeated).toEqual({ code: 1, signal: null });
    agent.destroy();
  });

  it("resumes a TLS session, whichever worker began it, and leaves none behind when its first process is killed", async () => {
    const fixture = (name: string) => join(import.meta.dirname, "../transport/fixtures", name);
    server = await serveGatehouse({
      ...environment,
      GATEHOUSE_TLS_CERT_FILE: fixture("localhost-cert.pem"),
      GATEHOUSE_TLS_KEY_FILE: fixture("localhost-key.pem"),
    });
    const shake = async (session: Buffer | undefined) => {
      const socket = tls.connect({
        port: server.port,
        host: "127.0.0.1",
        rejectUnauthorized: false,
        ALPNProtocols: ["http/1.1"],
        ...(session && { session }),
      });
      let ticket: Buffer | undefined;
      socket.once("session", (each) => {
        ticket = each;
      });
      await once(socket, "secureConnect");
      socket.write("GET /debug/healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
      const [answer] = await once(socket, "data");
      expect(String(answer)).toMatch(/^HTTP\/1.1 200 /);
      return { socket, ticket, resumed: socket.isSessionReused() };
    };
    const first = await shake(undefined);
    expect(first.resumed).toBe(false);
    // The first is still open, so the next one is the other worker's.
    const others = [await shake(first.ticket), await shake(first.ticket)];
    expect(others.map(({ resumed }) => resumed)).toEqual([true, true]);
    server.signal("SIGKILL");
    // Their output is the server's: it is not closed before the last of them is gone.
    expect(await within("the end of all", 10_000, server.exit)).toEqual({ code: null, signal: "SIGKILL" });
    for (const { socket } of [first, ...others]) socket.destroy();
  });

  it("tells once why it does not start, with the exit code of that", async () => {
    const wrongKey = await runGatehouse(["serve"], { ...environment, GATEHOUSE_MASTER_KEY: "ab".repeat(32) });
    expect(wrongKey).toMatchObject({ code: 2, stdout: "" });
    expect(wrongKey.stderr).toMatch(/^gatehouse: the master key is not the one .*\n {2}give the key .*\n$/);

    const other = http.createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as { port: number };
    const taken = await runGatehouse(["serve", "--listen", `127.0.0.1:${port}`], environment);
    other.close();
    expect(taken).toMatchObject({ code: 1, stdout: "" });
    expect(taken.stderr).toMatch(new RegExp(`^gatehouse: 127.0.0.1:${port} is in use by another program\n`));
    expect(taken.stderr.match(/gatehouse:/g)).toHaveLength(1);
  });
});

it("two workers on the embedded database are refused", async () => {
  const { code, stderr } = await runGatehouse(["serve"], { GATEHOUSE_WORKERS: "2" });
  expect(code).toBe(2);
  expect(stderr).toBe(
    "gatehouse: GATEHOUSE_WORKERS: 2 workers need a PostgreSQL database; the embedded one has one process\n" +
      "  set GATEHOUSE_DATABASE_URL, or leave the number of workers out\n",
  );
});
