import { once } from "node:events";
import * as http from "node:http";
import * as http2 from "node:http2";
import * as net from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createTestDatabase, engines, type TestDatabase } from "../support/databases.ts";
import { ADMIN_TOKEN } from "../support/test-config.ts";
import {
  environmentOf,
  logged,
  runGatehouse,
  type ServingProcess,
  serveGatehouse,
} from "./gatehouse-process.ts";
import { addHuman, importedHash, PASSWORD } from "./people.ts";
import { until, within } from "./poll.ts";
import { call } from "./session-calls.ts";

const path = "/zitadel.session.v2.SessionService/CreateSession";
const headers = { "content-type": "application/json", authorization: `Bearer ${ADMIN_TOKEN}` };

/** A request the server has accepted and waits for the rest of. */
type Accepted = { finish(): Promise<number> };

/** Over HTTP/1.1 the server says itself that it has read the head: 100 Continue. */
async function acceptedOverHttp1(port: number, agent: http.Agent): Promise<Accepted> {
  const request = http.request({
    port,
    path,
    agent,
    host: "127.0.0.1",
    method: "POST",
    headers: { ...headers, expect: "100-continue", "content-length": 2 },
  });
  const answered = new Promise<number>((resolve, reject) => {
    request.once("error", reject);
    request.once("response", (response) => {
      response.resume().once("end", () => resolve(response.statusCode!));
    });
  });
  answered.catch(() => {});
  request.flushHeaders();
  await Promise.race([once(request, "continue"), answered]);
  return {
    finish: () => {
      request.end("{}");
      return answered;
    },
  };
}

/** Over HTTP/2 an answered PING tells that everything before it was read. */
async function acceptedOverHttp2(session: http2.ClientHttp2Session, count: number): Promise<Accepted[]> {
  const accepted = Array.from({ length: count }, () => {
    const stream = session.request({ ":method": "POST", ":path": path, ...headers });
    const answered = new Promise<number>((resolve, reject) => {
      let status = 0;
      stream.once("error", reject);
      stream.once("response", (fields) => {
        status = Number(fields[":status"]);
      });
      stream.resume().once("end", () => resolve(status));
      stream.once("close", () => reject(new Error("closed without an answer")));
    });
    answered.catch(() => {});
    return {
      finish: () => {
        stream.end("{}");
        return answered;
      },
    };
  });
  await new Promise<void>((resolve, reject) => {
    session.ping((error) => (error ? reject(error) : resolve()));
  });
  return accepted;
}

/** @returns the code a new connection is refused with, undefined if it is taken */
async function refusal(port: number): Promise<string | undefined> {
  const socket = net.connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  } finally {
    socket.destroy();
  }
}

/** The most rounds that may be imported: a check takes a second or more. */
const slowHash = importedHash(5_000_000);

describe.each(engines)("a server on %s that is told to stop", (engine) => {
  let database: TestDatabase;
  let environment: Record<string, string>;
  let server: ServingProcess;
  let slowUserId: string;

  beforeEach(async () => {
    database = await createTestDatabase(engine);
    const opened = await database.open();
    slowUserId = await addHuman(opened, slowHash);
    await opened.close();
    environment = environmentOf(database.config);
    server = await serveGatehouse(environment);
  });
  afterEach(async () => {
    await server.kill();
    await database.remove();
  });

  it("answers what it accepted over both HTTP versions, takes no new connection, and exits with 0", async () => {
    const agent = new http.Agent({ keepAlive: true });
    const session = http2.connect(server.url);
    const goaway = once(session, "goaway");
    const idle = http2.connect(server.url);
    await once(idle, "connect");
    const slow = call(server.url, "CreateSession", {
      checks: { user: { userId: slowUserId }, password: { password: PASSWORD } },
    });
    const accepted = [
      ...(await Promise.all(Array.from({ length: 50 }, () => acceptedOverHttp1(server.port, agent)))),
      ...(await acceptedOverHttp2(session, 50)),
    ];

    server.signal("SIGTERM");
    await logged(server, "stopping");
    await within("GOAWAY", 5_000, goaway);
    await until("new connections to be refused", async () => (await refusal(server.port)) === "ECONNREFUSED");
    // Only now do these requests become whole; their server has been stopping for a while.
    const statuses = await within("the answers", 20_000, Promise.all(accepted.map(({ finish }) => finish())));
    expect(statuses).toEqual(accepted.map(() => 200));
    expect(await slow).toMatchObject({ code: "ok" });
    // Connections that clients would like to keep do not hold it up.
    expect(await within("the exit", 10_000, server.exit)).toEqual({ code: 0, signal: null });
    expect(server.logs.at(-1)).toMatchObject({ msg: "stopped" });
    expect(server.logs.filter(({ level }) => Number(level) > 30)).toEqual([]);
    agent.destroy();
    session.destroy();
    idle.destroy();

    const verified = await runGatehouse(["projections", "verify", "--json"], environment);
    expect(verified).toMatchObject({ code: 0, stderr: "" });
    // Everything acknowledged: two users, organization, instance, and 101 sessions.
    expect(JSON.parse(verified.stdout)).toMatchObject({ aggregates: 105 });
  });

  it("is gone at once when it is told a second time", async () => {
    const agent = new http.Agent({ keepAlive: true });
    const open = await acceptedOverHttp1(server.port, agent);
    server.signal("SIGTERM");
    await logged(server, "stopping");
    let exit: Awaited<typeof server.exit> | undefined;
    void server.exit.then((how) => {
      exit = how;
    });
    // Told again and again: too soon, it counts as the echo of the first.
    const repeated = until("the exit", () => {
      if (exit === undefined) server.signal("SIGTERM");
      return exit;
    });
    expect(await repeated).toEqual({ code: 1, signal: null });
    await expect(open.finish()).rejects.toThrow();
    agent.destroy();
  });
});
