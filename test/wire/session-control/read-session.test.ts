import { timestampMs } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { projections } from "../../../src/projections/projections.ts";
import { sessionAggregate } from "../../../src/session/session.ts";
import { summaryOf } from "../../../src/session/summary.ts";
import { change } from "../../../src/storage/aggregate.ts";
import type { OpenDatabase } from "../../../src/storage/database.ts";
import { EventRepository } from "../../../src/storage/event-repository.ts";
import { SessionRepository } from "../../../src/storage/session-repository.ts";
import { until } from "../../crash/poll.ts";
import { refusalCode } from "../../support/any-method.ts";
import { engines } from "../../support/databases.ts";
import { type Cast, type House, signIn, startHouse, userCheck } from "../../support/fixtures.ts";
import { protocolsOn } from "../protocols.ts";
import { control, refusalText } from "./control.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const base64 = (text: string) => Buffer.from(text).toString("base64");
const iso = (ms: number) => new Date(ms).toISOString();
const nextMillisecond = async (after: number) => {
  while (Date.now() <= after) await new Promise(setImmediate);
};

describe.each(engines)("GetSession and ListSessionEvents on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let admin: ReturnType<typeof control>;

  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
    admin = control(house, cast.owner);
  });
  afterAll(() => house.close());

  const login = () => house.as(cast.loginClient);
  const make = async (request: Parameters<ReturnType<House["as"]>["createSession"]>[0] = {}) => {
    const { sessionId, sessionToken, details } = await login().createSession(request);
    return { id: sessionId, token: sessionToken, at: timestampMs(details!.changeDate!) };
  };
  /** The time of the change. */
  const changed = async (sessionId: string, value: string, after: number) => {
    await nextMillisecond(after);
    const { details } = await login().setSession({ sessionId, metadata: { key: bytes(value) } });
    return timestampMs(details!.changeDate!);
  };

  describe("who reads a session, ended or not", () => {
    test.each<[string, (cast: Cast, own: { token: string }) => { token: string }, string, string, string]>([
      // A session with a user at home, one without a user, and none.
      ["the instance's owner", (cast) => cast.owner, "OK", "OK", "NotFound"],
      ["a viewer of the instance", (cast) => cast.viewer, "OK", "OK", "NotFound"],
      ["the creator", (cast) => cast.loginClient, "OK", "OK", "NotFound"],
      ["the organization's owner", (cast) => cast.orgOwner, "OK", "PermissionDenied", "PermissionDenied"],
      ["another organization's owner", (cast) => cast.otherOrgOwner, ...denied],
      ["a member without the permission", (cast) => cast.permissionEditor, ...denied],
      ["nobody in particular", (cast) => cast.nobody, ...denied],
      ["its user", (_, own) => own, "OK", "PermissionDenied", "PermissionDenied"],
    ])("%s", async (_, asker, ...expected) => {
      const own = await make({ checks: signIn(cast.mia) });
      const [ofMia, anonymous] = [await make({ checks: userCheck(cast.mia) }), await make()];
      const as = control(house, asker(cast, own));
      const outcome = async (call: Promise<unknown>) =>
        call.then(
          () => "OK",
          () => refusalCode(call),
        );
      for (const isEnded of [false, true]) {
        for (const [index, id] of [ofMia.id, anonymous.id, crypto.randomUUID()].entries()) {
          expect(await outcome(as.get(id)), `${index} ${isEnded}`).toBe(expected[index]);
          expect(await outcome(as.get(id, iso(Date.now()))), `${index} ${isEnded}`).toBe(expected[index]);
          expect(await outcome(as.events(id)), `${index} ${isEnded}`).toBe(expected[index]);
        }
        for (const { id } of [ofMia, anonymous]) await login().deleteSession({ sessionId: id });
      }
    });
  });

  test.each(protocolsOn(engine))("over %s a session reads as it is and as it was", async (protocol) => {
    const over = control(house, cast.owner, protocol);
    const { id, at } = await make({ checks: signIn(cast.noah), metadata: { key: bytes("1") } });
    const later = await changed(id, "2", at);
    const now = await over.get(id);
    expect(now).toMatchObject({
      status: "SESSION_STATUS_ACTIVE",
      creatorId: cast.loginClient.id,
      lastUsedAt: iso(later),
      session: { id, metadata: { key: base64("2") }, factors: { user: { id: cast.noah.id }, password: {} } },
    });
    const then = await over.get(id, iso(later - 1));
    expect(then).toMatchObject({ lastUsedAt: iso(at), session: { id, metadata: { key: base64("1") } } });
    expect(await over.get(id, iso(later))).toEqual(now);
    expect(Number(then.session.sequence)).toBeLessThan(Number(now.session.sequence));
    const { events } = await over.events(id);
    expect(events!.map(({ type }) => type)).toEqual([
      "session.added",
      "session.user.checked",
      "session.password.checked",
      "session.metadata.set",
      "session.token.set",
      "session.metadata.set",
      "session.token.set",
    ]);
  });

  describe("as of a time", () => {
    test("before its creation a session is not found, by those who may know", async () => {
      const { id, at } = await make();
      const before = iso(at - 1);
      expect(await refusalCode(admin.get(id, before))).toBe("NotFound");
      expect(await refusalCode(control(house, cast.loginClient).get(id, before))).toBe("NotFound");
      expect(await refusalCode(control(house, cast.nobody).get(id, before))).toBe("PermissionDenied");
      expect((await admin.get(id, iso(at))).status).toBe("SESSION_STATUS_ACTIVE");
    });

    test("a session that is locked away was active until the lock, with and without an event of its own", async () => {
      const { id, at } = await make({ checks: userCheck(cast.lea) });
      await nextMillisecond(at);
      await admin.lock(cast.lea.id);
      const story = await admin.get(id);
      expect(story).toMatchObject({
        status: "SESSION_STATUS_ENDED",
        ending: { reason: "END_REASON_USER_LOCKED", actorId: cast.owner.id },
      });
      const lockedAt = new Date(story.ending!.endedAt).getTime();
      const check = async () => {
        const [before, then] = [await admin.get(id, iso(lockedAt - 1)), await admin.get(id, iso(lockedAt))];
        expect(before.status).toBe("SESSION_STATUS_ACTIVE");
        expect(before).not.toHaveProperty("ending");
        expect([then.status, then.ending]).toEqual([story.status, story.ending]);
      };
      await check();
      const ended = await until("the event of the ending", async () => {
        const { events = [] } = await admin.events(id);
        return events.find(({ type }) => type === "session.terminated");
      });
      expect(ended.payload).toMatchObject({ reason: "user_locked", endedAt: story.ending!.endedAt });
      expect(ended.actorId).toBe(cast.owner.id);
      expect((await admin.get(id)).ending).toEqual(story.ending);
      await check();
    });

    test("a session that was ended by filter was active until then", async () => {
      const { id, at } = await make();
      await nextMillisecond(at);
      const { operation } = await admin.end({ filter: { sessionIds: [id] } });
      const { ending } = await admin.get(id);
      expect(ending).toMatchObject({ reason: "END_REASON_ENDED_BY_FILTER", operationId: operation.id });
      expect((await admin.get(id, iso(new Date(ending!.endedAt).getTime() - 1))).status).toBe(
        "SESSION_STATUS_ACTIVE",
      );
      expect((await admin.get(id, ending!.endedAt)).ending).toEqual(ending);
    });

    test("a session past its lifetime was active until then", async () => {
      const { id } = await make({ lifetime: { nanos: 20_000_000 } });
      const record = await until("the end of a lifetime", async () => {
        const read = await admin.get(id);
        return read.status === "SESSION_STATUS_EXPIRED" && read;
      });
      const end = new Date(record.session.expirationDate!).getTime();
      expect(record.ending).toEqual({ reason: "END_REASON_EXPIRED", endedAt: iso(end) });
      expect((await admin.get(id, iso(end))).status).toBe("SESSION_STATUS_ACTIVE");
      const { status, ending } = await admin.get(id, iso(end + 1));
      expect([status, ending]).toEqual([record.status, record.ending]);
    });

    test("a session whose events were folded knows its end only", async () => {
      const { id, at } = await make({ metadata: { key: bytes("1") } });
      await nextMillisecond(at);
      await login().deleteSession({ sessionId: id });
      const whole = await admin.get(id);
      await house.operate((database) => fold(database, id));
      expect(await refusalCode(admin.get(id, iso(at)))).toBe("FailedPrecondition");
      expect(await refusalText(admin.get(id, iso(at)))).toMatch(/as_of: .*folded/);
      expect(await refusalCode(admin.get(id, iso(at - 1)))).toBe("NotFound");
      const { ending, status, session } = await admin.get(id, iso(Date.now() + 1_000));
      expect([ending, status, session.metadata]).toEqual([
        whole.ending,
        whole.status,
        whole.session.metadata,
      ]);
      expect((await admin.events(id)).events!.map(({ type }) => type)).toEqual(["session.summarized"]);
    });
  });

  describe("events", () => {
    test("are told in pages that meet, oldest first", async () => {
      const { id, at } = await make();
      let last = at;
      for (let times = 0; times < 4; times++) last = await changed(id, `${times}`, last);
      const { events: whole, hasMore } = await admin.events(id);
      expect(whole!.map(({ sequence }) => sequence)).toEqual(whole!.map((_, index) => `${index + 1}`));
      expect(hasMore ?? false).toBe(false);
      const walked: typeof whole = [];
      for (let after = "0"; ; after = walked.at(-1)!.sequence) {
        const page = await admin.events(id, { afterSequence: after, limit: 3 });
        walked.push(...page.events!);
        if (!page.hasMore) break;
        expect(page.events).toHaveLength(3);
      }
      expect(walked).toEqual(whole);
      const beyond = ["9007199254740993", "18446744073709551615"];
      for (const afterSequence of beyond)
        expect(await admin.events(id, { afterSequence })).not.toHaveProperty("events");
      expect(await refusalText(admin.events(id, { limit: 1_001 }))).toMatch(
        /^\[invalid_argument\] the limit/,
      );
      expect((await admin.events(id, { limit: 1_000 })).events).toEqual(whole);
    });

    test("say whose act they were and why a session ended", async () => {
      const { id } = await make({ checks: userCheck(cast.noah), userAgent: { fingerprintId: "agent" } });
      await house.as(cast.owner).deleteSession({ sessionId: id });
      const events = (await admin.events(id)).events!;
      expect(events[0]).toMatchObject({
        type: "session.added",
        actorId: cast.loginClient.id,
        payload: { user_agent: { fingerprint_id: "agent" } },
      });
      expect(events[1]).toMatchObject({ payload: { userID: cast.noah.id, userResourceOwner: cast.home.id } });
      expect(events.at(-1)).toMatchObject({
        type: "session.terminated",
        actorId: cast.owner.id,
        payload: { reason: "terminated", entitlement: "permission" },
      });
    });
  });
});

const denied = ["PermissionDenied", "PermissionDenied", "PermissionDenied"] as const;

/** Makes one event of an ended session's, as the background does after a while. */
async function fold({ db }: OpenDatabase, id: string): Promise<void> {
  const { session } = (await new SessionRepository(db).find(id))!;
  const payload = summaryOf(session);
  await new EventRepository(db, projections).append([
    change(sessionAggregate, session, [{ type: "session.summarized", payload }], "system"),
  ]);
  await sql`
    DELETE FROM events WHERE aggregate_type = 'session' AND aggregate_id = ${id}
      AND event_type <> 'session.summarized'`.execute(db);
}
