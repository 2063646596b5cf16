import type { DescMethod, JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SessionControlService } from "../../src/gen/gatehouse/session/v1/session_control_service_pb.js";
import { until } from "../crash/poll.ts";
import { anyCall } from "../support/any-method.ts";
import { refusalOf, type SessionClient } from "../support/clients.ts";
import { engines } from "../support/databases.ts";
import {
  type Cast,
  type House,
  type Human,
  signIn,
  startHouse,
  streamOf,
  userCheck,
} from "../support/fixtures.ts";
import { protocolsOn } from "./protocols.ts";

/** What every protocol tells of a refusal. */
const refused = (code: Code, text: string, id: string) => ({ code, message: `${text} (${id})` });

const denied = refused(Code.PermissionDenied, "No matching permissions found", "AUTH-AWfge");
const gone = refused(Code.NotFound, "session does not exist", "QUERY-SFeaa");

type Operation = {
  id: string;
  status: string;
  ended?: string;
  actorId: string;
  startedAt: string;
  doneAt?: string;
};

/** Ways to say which sessions, by whom or what they are about. */
const filterNames = [
  "home",
  "elsewhere",
  "both",
  "mia",
  "otto",
  "mia and otto",
  "mia, of those at home",
  "somebody unknown",
  "an unknown session",
  "a creator",
  "an address",
] as const;

describe.each(engines)("ending sessions in numbers on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let client: SessionClient;
  const { endSessions, endUserSessions, endOtherSessions, getOperation } = SessionControlService.method;
  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
    client = house.as(cast.loginClient);
  });
  afterAll(() => house.close());

  const ask = (
    who: { token: string },
    method: DescMethod,
    request: JsonObject,
    protocol = protocolsOn(engine)[0]!,
  ) => anyCall(house.url, who.token, protocol)(method, request);
  const operationOf = async (answer: Promise<JsonObject>) => (await answer).operation as Operation;
  const end = (who: { token: string }, filter: JsonObject) => operationOf(ask(who, endSessions, { filter }));
  const count = async (who: { token: string }, filter: JsonObject, all = false) =>
    Number((await ask(who, endSessions, { filter, all, dryRun: true })).matched ?? 0);
  const sessionOf = async (user?: Human) =>
    (await client.createSession(user ? { checks: userCheck(user) } : {})).sessionId;
  const isAlive = (sessionId: string) =>
    client.getSession({ sessionId }).then(
      () => true,
      async (error) => {
        expect(await refusalOf(Promise.reject(error))).toMatchObject(gone);
        return false;
      },
    );

  test.each(protocolsOn(engine))(
    "EndSessions ends what meets the filter and nothing else, by %s",
    async (protocol) => {
      const [one, other] = [await sessionOf(), await sessionOf()];
      const bystander = await sessionOf();
      const request = { filter: { sessionIds: [one, other] } };
      const operation = await operationOf(ask(cast.loginClient, endSessions, request, protocol));
      expect(operation).toMatchObject({
        status: "OPERATION_STATUS_DONE",
        ended: "2",
        actorId: cast.loginClient.id,
        filter: request.filter,
      });
      expect(await Promise.all([one, other, bystander].map(isAlive))).toEqual([false, false, true]);
      const stream = await house.operate((database) => streamOf(database, "session", one));
      expect(stream.at(-1)).toMatchObject({
        type: "session.terminated",
        actorId: cast.loginClient.id,
        payload: {
          reason: "ended_by_filter",
          operationId: operation.id,
          endedAt: new Date(operation.startedAt).toISOString(),
        },
      });
      expect(
        await operationOf(ask(cast.loginClient, getOperation, { operationId: operation.id }, protocol)),
      ).toEqual(operation);
    },
  );

  test.each<[string, JsonObject, string, string]>([
    ["no filter", {}, "filter: empty; say all: true to end every session there is", "GATE-F1lEm"],
    [
      "an empty filter",
      { filter: {} },
      "filter: empty; say all: true to end every session there is",
      "GATE-F1lEm",
    ],
    [
      "one of statuses alone",
      { filter: { statuses: ["SESSION_STATUS_ACTIVE"] } },
      "filter: empty; say all: true to end every session there is",
      "GATE-F1lEm",
    ],
    [
      "one for expired sessions",
      { filter: { statuses: ["SESSION_STATUS_EXPIRED"], userIds: ["mia"] } },
      "filter: only active sessions can be ended; leave statuses and reasons out",
      "GATE-F1lAc",
    ],
    [
      "one for reasons",
      { filter: { reasons: ["END_REASON_EXPIRED"], userIds: ["mia"] } },
      "filter: only active sessions can be ended; leave statuses and reasons out",
      "GATE-F1lAc",
    ],
    [
      "an address that is none",
      { filter: { addresses: ["192.0.2.0/33"] } },
      "filter.addresses: not an IP address or a network in CIDR notation",
      "GATE-F1lAd",
    ],
    [
      "metadata alone",
      { filter: { metadata: { key: "dmFsdWU=" } } },
      "filter: factors and metadata have no index; add ids, users, organizations, creators, fingerprints, addresses, or both ends of the creation",
      "GATE-F1lIx",
    ],
  ])("%s is refused, also in a dry run", async (_, request, text, id) => {
    for (const dryRun of [false, true]) {
      const refusal = await refusalOf(ask(cast.owner, endSessions, { ...request, dryRun }));
      expect(refusal).toMatchObject(refused(Code.InvalidArgument, text, id));
    }
  });

  test("a dry run counts what is then ended, and ends nothing", async () => {
    const ids = [await sessionOf(cast.mia), await sessionOf(cast.noah), await sessionOf(cast.mia)];
    const filter = { userIds: [cast.mia.id], sessionIds: ids };
    expect(await count(cast.owner, filter)).toBe(2);
    expect(await Promise.all(ids.map(isAlive))).toEqual([true, true, true]);
    expect(await end(cast.owner, filter)).toMatchObject({ ended: "2" });
    expect(await count(cast.owner, filter)).toBe(0);
    expect(await Promise.all(ids.map(isAlive))).toEqual([false, true, false]);
  });

  describe("who may", () => {
    const filters = (): Record<(typeof filterNames)[number], JsonObject> => ({
      home: { organizationIds: [cast.home.id] },
      elsewhere: { organizationIds: [cast.elsewhere.id] },
      both: { organizationIds: [cast.home.id, cast.elsewhere.id] },
      mia: { userIds: [cast.mia.id] },
      otto: { userIds: [cast.otto.id] },
      "mia and otto": { userIds: [cast.mia.id, cast.otto.id] },
      "mia, of those at home": { organizationIds: [cast.home.id], userIds: [cast.mia.id] },
      "somebody unknown": { userIds: ["nobody-of-that-name"] },
      "an unknown session": { sessionIds: ["0197f0a2-c0de-7000-8000-000000000001"] },
      "a creator": { creatorIds: [cast.loginClient.id] },
      "an address": { addresses: ["192.0.2.0/24"] },
    });

    test.each<[keyof Cast, readonly string[]]>([
      ["owner", filterNames],
      ["loginClient", filterNames],
      ["userManager", filterNames],
      ["orgOwner", ["home", "mia", "mia, of those at home"]],
      ["orgUserManager", ["home", "mia", "mia, of those at home"]],
      ["otherOrgOwner", ["elsewhere", "otto"]],
      ["viewer", []],
      ["permissionEditor", []],
      ["nobody", []],
    ])("the %s may end everything of %j, and nothing else", async (who, allowed) => {
      const outcomes = await Promise.all(
        Object.entries(filters()).map(async ([name, filter]) => {
          const call = ask(cast[who] as { token: string }, endSessions, { filter, dryRun: true });
          return call.then(
            () => name,
            async (error) => {
              expect(await refusalOf(Promise.reject(error))).toMatchObject(denied);
              return undefined;
            },
          );
        }),
      );
      expect(outcomes.filter((name) => name !== undefined)).toEqual(allowed);
    });

    test("sessions by their ids take the permission on each", async () => {
      const [mias, ottos, anonymous] = [
        await sessionOf(cast.mia),
        await sessionOf(cast.otto),
        await sessionOf(),
      ];
      for (const sessionIds of [[mias, ottos], [mias, anonymous], [ottos]])
        expect(await refusalOf(ask(cast.orgOwner, endSessions, { filter: { sessionIds } }))).toMatchObject(
          denied,
        );
      expect(await end(cast.orgOwner, { sessionIds: [mias] })).toMatchObject({ ended: "1" });
      expect(await Promise.all([mias, ottos, anonymous].map(isAlive))).toEqual([false, true, true]);
    });

    test("everything at once takes the permission on the instance", async () => {
      const request = { all: true, dryRun: true };
      expect(await refusalOf(ask(cast.orgOwner, endSessions, request))).toMatchObject(denied);
      expect(Number((await ask(cast.userManager, endSessions, request)).matched)).toBeGreaterThan(0);
    });
  });

  describe("EndUserSessions", () => {
    test("ends those of one user, but one if it is told so", async () => {
      const [kept, other, third] = [
        await sessionOf(cast.lea),
        await sessionOf(cast.lea),
        await sessionOf(cast.tim),
      ];
      const request = { userId: cast.lea.id, exceptSessionId: kept };
      const operation = await operationOf(ask(cast.userManager, endUserSessions, request));
      expect(operation).toMatchObject({ ended: "1" });
      expect(await Promise.all([kept, other, third].map(isAlive))).toEqual([true, false, true]);
      await ask(cast.userManager, endUserSessions, { userId: cast.lea.id });
      expect(await Promise.all([kept, third].map(isAlive))).toEqual([false, true]);
    });

    test("ends one's own without any role, not those of somebody else", async () => {
      const { sessionId, sessionToken: token } = await client.createSession({ checks: signIn(cast.zoe) });
      const other = await sessionOf(cast.zoe);
      const request = { userId: cast.tim.id };
      expect(await refusalOf(ask({ token }, endUserSessions, request))).toMatchObject(denied);
      await ask({ token }, endUserSessions, { userId: cast.zoe.id });
      expect(await Promise.all([sessionId, other].map(isAlive))).toEqual([false, false]);
    });
  });

  describe("EndOtherSessions", () => {
    test("leaves the session the caller came with", async () => {
      const { sessionId, sessionToken: token } = await client.createSession({ checks: signIn(cast.noah) });
      const others = [await sessionOf(cast.noah), await sessionOf(cast.noah)];
      const ended = Number((await operationOf(ask({ token }, endOtherSessions, {}))).ended);
      expect(ended).toBeGreaterThanOrEqual(2);
      expect(await Promise.all([sessionId, ...others].map(isAlive))).toEqual([true, false, false]);
    });

    test("takes a session to come with", async () => {
      const refusal = await refusalOf(ask(cast.owner, endOtherSessions, {}));
      expect(refusal).toMatchObject(
        refused(Code.FailedPrecondition, "the caller came without a session of its own", "GATE-E0nOs"),
      );
    });
  });

  describe("GetOperation", () => {
    test("answers whoever began it, and whoever may end any session", async () => {
      const operationId = (await end(cast.orgOwner, { userIds: [cast.mia.id] })).id;
      for (const who of [cast.orgOwner, cast.owner, cast.loginClient])
        expect(await operationOf(ask(who, getOperation, { operationId }))).toMatchObject({ id: operationId });
      for (const who of [cast.orgUserManager, cast.viewer, cast.nobody])
        expect(await refusalOf(ask(who, getOperation, { operationId }))).toMatchObject(denied);
    });

    test("tells that there is none to those who may know", async () => {
      const request = { operationId: "none" };
      expect(await refusalOf(ask(cast.owner, getOperation, request))).toMatchObject(
        refused(Code.NotFound, "operation could not be found", "GATE-0pNf1"),
      );
      expect(await refusalOf(ask(cast.orgOwner, getOperation, request))).toMatchObject(denied);
    });

    test("follows a large one to its end", async () => {
      const ids = await Promise.all(Array.from({ length: 250 }, () => sessionOf(cast.otto)));
      const begun = await end(cast.otherOrgOwner, { sessionIds: ids, organizationIds: [cast.elsewhere.id] });
      expect(await Promise.all([ids[0]!, ids.at(-1)!].map(isAlive))).toEqual([false, false]);
      const done = await until("the operation to be done", async () => {
        const now = await operationOf(ask(cast.otherOrgOwner, getOperation, { operationId: begun.id }));
        return now.status === "OPERATION_STATUS_DONE" && now;
      });
      expect(done).toMatchObject({ ended: "250", startedAt: begun.startedAt });
      expect(new Date(done.doneAt!).getTime()).toBeGreaterThanOrEqual(new Date(done.startedAt).getTime());
    });
  });
});
