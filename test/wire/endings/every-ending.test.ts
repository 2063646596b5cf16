import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SessionControlService } from "../../../src/gen/gatehouse/session/v1/session_control_service_pb.js";
import { SessionSettingsService } from "../../../src/gen/gatehouse/session/v1/session_settings_service_pb.js";
import { SessionService } from "../../../src/gen/zitadel/session/v2/session_service_pb.js";
import type { OpenDatabase } from "../../../src/storage/database.ts";
import { until } from "../../crash/poll.ts";
import { type AnyCall, anyCall, refusalCode } from "../../support/any-method.ts";
import { type Cast, createCast } from "../../support/fixtures.ts";
import { startTestServer, type TestServer } from "../../support/test-server.ts";
import { protocols } from "../protocols.ts";
import { type Signed, type Stage, stageOn } from "./stage.ts";
import { ways } from "./ways.ts";

const { method: sessions } = SessionService;
const { method: control } = SessionControlService;

/** What tells of an ending in a stream; the last of them is all that is left once a removed user was erased. */
const ENDINGS = ["session.terminated", "session.expired", "session.summarized"];

describe("every way to end a session, on two nodes", () => {
  let server: TestServer;
  let nodes: string[];
  let cast: Cast;
  let beside: OpenDatabase;
  const ended: string[] = [];

  beforeAll(async () => {
    server = await startTestServer("postgres", {
      prepare: async (database) => {
        cast = await createCast(database);
      },
    });
    nodes = [server.url, (await server.startAnother()).url];
    beside = await server.database.open();
    await anyCall(
      nodes[0]!,
      cast.owner.token,
      "Connect",
    )(SessionSettingsService.method.setOrganizationConcurrency, {
      organizationId: cast.elsewhere.id,
      concurrency: { maxSessionsPerUser: 1, policy: "CONCURRENCY_POLICY_END_OLDEST" },
    });
  });
  afterAll(async () => {
    await beside.close();
    await server.close();
  });

  describe.each(protocols)("over %s", (protocol) => {
    /** The owner and the session itself, on each node. */
    const onNodes = (token: string) =>
      nodes.map((url) => ({
        owner: anyCall(url, cast.owner.token, protocol),
        bearer: anyCall(url, token, protocol),
      }));

    test.each(ways.map((way) => [way.reason, way.name, way] as const))("%s by %s", async (reason, _, way) => {
      const stage: Stage = stageOn(nodes[0]!, protocol, cast, () => beside);
      const victim: Signed = way.arrange
        ? await way.arrange(stage)
        : await stage.signedIn(await stage.newPerson());
      const [sessionId, filter] = [victim.id, { sessionIds: [victim.id] }];
      for (const { owner, bearer } of onNodes(victim.token)) {
        await bearer(sessions.getSession, { sessionId });
        expect(await found(owner, filter)).toMatchObject([{ status: "SESSION_STATUS_ACTIVE" }]);
      }

      const before = Date.now();
      const actor = await way.act(stage, victim);
      const actorId = actor === undefined ? cast.owner.id : actor;

      const isShown = reason === "EXPIRED";
      const record = {
        session: { id: sessionId },
        status: isShown ? "SESSION_STATUS_EXPIRED" : "SESSION_STATUS_ENDED",
        ending: { reason: `END_REASON_${reason}`, ...(actorId === null ? {} : { actorId }) },
      };
      for (const { owner, bearer } of onNodes(victim.token)) {
        expect(await refusalCode(bearer(sessions.getSession, { sessionId }))).toBe(
          isShown ? "PermissionDenied" : "NotFound",
        );
        expect(await refusalCode(owner(sessions.setSession, { sessionId, lifetime: "60s" }))).toBe(
          "FailedPrecondition",
        );
        const listed = await owner(sessions.listSessions, { queries: [{ idsQuery: { ids: [sessionId] } }] });
        expect(listed.sessions ?? []).toHaveLength(isShown ? 1 : 0);
        if (isShown) {
          const { session } = await owner(sessions.getSession, { sessionId });
          const { expirationDate } = session as { expirationDate: string };
          expect(Date.parse(expirationDate)).toBeLessThan(Date.now());
        } else expect(await refusalCode(owner(sessions.getSession, { sessionId }))).toBe("NotFound");

        const inView = { ...filter, statuses: ["SESSION_STATUS_ACTIVE", "SESSION_STATUS_EXPIRED"] };
        expect(await found(owner, inView)).toHaveLength(isShown ? 1 : 0);
        const over = { ...filter, statuses: [record.status], reasons: [record.ending.reason] };
        expect(await found(owner, over)).toMatchObject([record]);
        expect((await owner(control.getSession, { sessionId })).session).toMatchObject(record);
      }
      const [{ ending }] = (await found(stage.owner, { ...filter, statuses: [record.status] })) as [
        JsonObject,
      ];
      const { endedAt, actorId: told } = ending as { endedAt: string; actorId?: string };
      expect(told ?? null).toBe(actorId);
      if (actorId !== null) expect(Date.parse(endedAt)).toBeGreaterThanOrEqual(before - 1);
      expect(Date.parse(endedAt)).toBeLessThanOrEqual(Date.now());

      // Its event follows, and what was told of the ending before stays as it was.
      await until("its event", async () => (await endingEvents(stage.owner, sessionId)).length === 1);
      expect(await found(stage.owner, { ...filter, statuses: [record.status] })).toMatchObject([
        { ending: ending! },
      ]);
      ended.push(sessionId);
    });
  });

  test("leaves each of them with exactly one ending event", async () => {
    const owner = anyCall(nodes[1]!, cast.owner.token, "gRPC");
    expect(ended).toHaveLength(protocols.length * ways.length);
    for (const sessionId of ended) {
      // Ending again what has ended is nothing.
      await owner(control.endSessions, { filter: { sessionIds: [sessionId] } });
      expect(await endingEvents(owner, sessionId)).toHaveLength(1);
    }
  });
});

async function found(call: AnyCall, filter: JsonObject): Promise<JsonObject[]> {
  const { sessions: records = [] } = await call(control.searchSessions, { filter });
  return records as JsonObject[];
}

async function endingEvents(call: AnyCall, sessionId: string): Promise<JsonObject[]> {
  const { events } = await call(control.listSessionEvents, { sessionId });
  return (events as JsonObject[]).filter(({ type }) => ENDINGS.includes(type as string));
}
