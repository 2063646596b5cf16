import { randomBytes } from "node:crypto";
import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { sql } from "kysely";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  currentVersion,
  type Endpoint,
  type Reply,
  type SessionMethod,
  type WireClient,
  wireClients,
} from "../support/clients.ts";
import { engines } from "../support/databases.ts";
import { dumpOf } from "../support/dump.ts";
import { type House, PASSWORD, startHouse, userRow, WRONG_PASSWORD } from "../support/fixtures.ts";
import { Secrets } from "../support/secrets.ts";
import { MASTER_KEY } from "../support/test-config.ts";

/** In metadata and nowhere else: a body that got into the log would show it. */
const CANARY = randomBytes(12).toString("hex");

describe.each(engines)("after a walk over every protocol on %s", (engine) => {
  let house: House;
  const lines: string[] = [];
  /** Every refusal's whole answer: headers, text, details. */
  const refusals: string[] = [];
  /** What must be nowhere: each under the name a failure shows instead of it. */
  const secrets = new Secrets();
  secrets.remember("the password", PASSWORD);
  secrets.remember("a wrong password", WRONG_PASSWORD);
  secrets.remember("the master key", MASTER_KEY);
  secrets.remember("the master key's bytes", Buffer.from(MASTER_KEY, "hex"));
  let dump: string[] = [];
  let hash = "";

  const remember = (token: unknown) => {
    if (typeof token !== "string") throw new Error("no session token to remember");
    const bytes = Buffer.from(token.slice("gatehouse_st_".length), "base64url");
    secrets.remember("a session token", token);
    secrets.remember("the id of a session token", bytes.subarray(16, 32));
    secrets.remember("the MAC of a session token", bytes.subarray(32));
  };

  async function call(client: WireClient, endpoint: Endpoint, method: SessionMethod, request: JsonObject) {
    const reply: Reply = await client.send(endpoint, method, request);
    if (reply.code !== Code.Canceled && reply.code !== 0) refusals.push(JSON.stringify(reply));
    return reply;
  }

  async function walk(client: WireClient): Promise<void> {
    const { cast, url } = house;
    const login: Endpoint = { url, authorization: `Bearer ${cast.loginClient.token}` };
    const user = { userId: cast.mia.id };
    const created = await call(client, login, "CreateSession", {
      checks: { user, password: { password: PASSWORD } },
      metadata: { canary: Buffer.from(CANARY).toString("base64") },
    });
    const { sessionId, sessionToken } = created.response as { sessionId: string; sessionToken: string };
    remember(sessionToken);
    const changed = await call(client, login, "SetSession", { sessionId, lifetime: "600s" });
    const newer = changed.response!.sessionToken as string;
    remember(newer);

    const refused = async (endpoint: Endpoint, method: SessionMethod, request: JsonObject, code: Code) =>
      expect((await call(client, endpoint, method, request)).code, `${client.name} ${method}`).toBe(code);
    const wrong = { password: { password: WRONG_PASSWORD } };
    await refused(login, "SetSession", { sessionId, checks: wrong }, Code.InvalidArgument);
    await refused(login, "CreateSession", { checks: { user, ...wrong } }, Code.InvalidArgument);
    await refused(login, "GetSession", { sessionId, sessionToken }, Code.PermissionDenied);
    await refused(login, "DeleteSession", { sessionId, sessionToken }, Code.PermissionDenied);
    // Wrong by a letter, and too long to be anything: an error that repeats what it refuses would show it.
    await refused(login, "GetSession", { sessionId, sessionToken: newer + newer }, Code.PermissionDenied);
    await refused(login, "GetSession", { sessionId, sessionToken: newer.repeat(6) }, Code.InvalidArgument);
    await refused(
      login,
      "CreateSession",
      { checks: { user, password: { password: PASSWORD.repeat(20) } } },
      Code.InvalidArgument,
    );
    for (const authorization of [`Bearer ${sessionToken}`, `Bearer ${newer.slice(0, -1)}!`])
      await call(client, { url, authorization }, "ListSessions", {});
    for (const authorization of [`bearer ${cast.owner.token}`, `Bearer ${cast.owner.token}x`])
      await refused({ url, authorization }, "ListSessions", {}, Code.Unauthenticated);
    await refused(
      { url, authorization: `Bearer ${cast.nobody.token}` },
      "CreateSession",
      {},
      Code.PermissionDenied,
    );
    const own = await call(client, { url, authorization: `Bearer ${newer}` }, "GetSession", { sessionId });
    expect(own.code).toBe(0);
    const ended = await call(client, login, "DeleteSession", { sessionId, sessionToken: newer });
    expect(ended.code).toBe(0);
    await refused({ url, authorization: `Bearer ${newer}` }, "ListSessions", {}, Code.NotFound);
  }

  beforeAll(async () => {
    const logger = pino({ level: "trace" }, { write: (line: string) => void lines.push(line) });
    house = await startHouse(engine, { server: { logger } });
    const { cast } = house;
    for (const [name, { token }] of Object.entries({
      owner: cast.owner,
      loginClient: cast.loginClient,
      nobody: cast.nobody,
    }))
      secrets.remember(`personal access token of ${name}`, token);
    for (const client of wireClients(currentVersion)) await walk(client);

    hash = (await house.operate((database) => userRow(database, cast.mia))).passwordHash!;
    dump = await house.operate(dumpOf);

    // An internal error is the one that is logged with its cause, and the cause knows the statement.
    await house.operate(({ db }) => sql`ALTER TABLE events RENAME TO events_gone`.execute(db));
    const failed = await call(
      wireClients(currentVersion)[0]!,
      { url: house.url, authorization: `Bearer ${cast.loginClient.token}` },
      "CreateSession",
      {
        checks: { user: { userId: cast.imported.bcrypt.id }, password: { password: PASSWORD } },
        metadata: { canary: Buffer.from(CANARY).toString("base64") },
      },
    );
    await house.operate(({ db }) => sql`ALTER TABLE events_gone RENAME TO events`.execute(db));
    expect(failed.code).toBe(Code.Internal);
  });
  afterAll(() => house.close());

  test("the log has a line for every call, and nothing in it that opens anything", () => {
    const log = lines.join("");
    for (const method of ["CreateSession", "GetSession", "ListSessions", "SetSession", "DeleteSession"])
      expect(log).toContain(`zitadel.session.v2.SessionService/${method}`);
    expect(log).toContain("internal error");
    expect(secrets.namesFoundIn(lines)).toEqual([]);
    expect(log).not.toMatch(/bearer/i);
    expect(log).not.toMatch(/authorization/i);
  });

  test("the log holds no password hash, no digest of a token, and nothing of a request's body", () => {
    const log = lines.join("");
    expect(log).not.toContain(hash.slice(-43));
    expect(log).not.toMatch(/\$argon2id\$|\$2[aby]\$/);
    expect(log).not.toContain(CANARY);
    expect(log).not.toContain(Buffer.from(CANARY).toString("base64"));
    expect(log).not.toMatch(/tokenDigest|token_digest|encodedHash/);
  });

  test("the database holds nothing that opens anything", () => {
    expect(dump.filter((row) => row.startsWith("events: ")).length).toBeGreaterThan(50);
    expect(
      dump.some(
        (row) => row.startsWith("sessions: ") && row.includes(Buffer.from(CANARY).toString("base64")),
      ),
    ).toBe(true);
    expect(secrets.namesFoundIn(dump)).toEqual([]);
    expect(dump.filter((row) => row.includes("gatehouse_st_") || row.includes("gatehouse_pat_"))).toEqual([]);
  });

  test("no refusal repeats what it refused", () => {
    expect(refusals.length).toBeGreaterThan(60);
    expect(secrets.namesFoundIn(refusals)).toEqual([]);
    expect(refusals.filter((refusal) => refusal.includes(PASSWORD.slice(0, 12)))).toEqual([]);
  });
});
