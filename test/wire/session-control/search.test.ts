import type { JsonObject } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../../crash/poll.ts";
import { engines } from "../../support/databases.ts";
import {
  type Cast,
  type House,
  type Machine,
  signIn,
  startHouse,
  userCheck,
} from "../../support/fixtures.ts";
import { protocolsOn } from "../protocols.ts";
import { control, type Found, idsOf, refusalText } from "./control.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const base64 = (text: string) => Buffer.from(text).toString("base64");

/** A session as its creator remembers it. */
type Made = { id: string; at: number; token: string };

describe.each(engines)("SearchSessions on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let admin: ReturnType<typeof control>;
  const all: Made[] = [];
  let [anonymous, agent, ofMia, ofNoah, ofOtto, byOwner]: Made[] = [];

  const make = async (
    request: Parameters<ReturnType<House["as"]>["createSession"]>[0],
    creator: Machine = cast.loginClient,
  ): Promise<Made> => {
    // Of a millisecond of its own, so that dates alone tell them apart.
    const last = all.at(-1)?.at ?? 0;
    while (Date.now() <= last) await new Promise(setImmediate);
    const { sessionId, sessionToken, details } = await house.as(creator).createSession(request);
    return { id: sessionId, token: sessionToken, at: timestampMs(details!.changeDate!) };
  };
  const ids = (...made: (Made | undefined)[]) => made.map((one) => one!.id);
  const found = async (filter: JsonObject, asker = admin, more: JsonObject = {}): Promise<string[]> =>
    idsOf(await asker.search({ filter, ascending: true, ...more }));

  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
    admin = control(house, cast.owner);
    const keep = async (...args: Parameters<typeof make>) => {
      const made = await make(...args);
      all.push(made);
      return made;
    };
    anonymous = await keep({});
    agent = await keep({ userAgent: { fingerprintId: "agent", ip: "192.0.2.7" } });
    ofMia = await keep({
      checks: signIn(cast.mia),
      userAgent: { fingerprintId: "agent", ip: "192.0.2.200" },
      lifetime: { seconds: 300n },
      metadata: { floor: bytes("2") },
    });
    ofNoah = await keep({
      checks: userCheck(cast.noah),
      lifetime: { seconds: 86_400n },
      userAgent: { ip: "2001:db8::1" },
    });
    ofOtto = await keep({ checks: userCheck(cast.otto) });
    byOwner = await keep({}, cast.owner);
  });
  afterAll(() => house.close());

  test.each(protocolsOn(engine))(
    "answers over %s with the session, its creator and how it stands",
    async (protocol) => {
      const { sessions, timestamp } = await control(house, cast.owner, protocol).search({
        filter: { sessionIds: [ofMia!.id] },
      });
      const [record] = sessions!;
      const { session } = await house.as(cast.owner).getSession({ sessionId: ofMia!.id });
      expect(record).toMatchObject({
        status: "SESSION_STATUS_ACTIVE",
        creatorId: cast.loginClient.id,
        session: { id: ofMia!.id, sequence: String(session!.sequence), metadata: { floor: base64("2") } },
      });
      expect(new Date(record!.lastUsedAt).getTime()).toBe(ofMia!.at);
      expect(record).not.toHaveProperty("ending");
      expect(record).not.toHaveProperty("idleLifetime");
      expect(new Date(timestamp).getTime()).toBeGreaterThanOrEqual(ofMia!.at);
    },
  );

  describe("who finds what", () => {
    test.each<[string, (cast: Cast) => { token: string }, () => (Made | undefined)[]]>([
      ["the instance's owner: all", (cast) => cast.owner, () => all],
      ["a viewer of the instance: all", (cast) => cast.viewer, () => all],
      ["an organization's owner: its users'", (cast) => cast.orgOwner, () => [ofMia, ofNoah]],
      ["another organization's owner: that one's", (cast) => cast.otherOrgOwner, () => [ofOtto]],
      ["a member without the permission: none", (cast) => cast.permissionEditor, () => []],
      ["nobody in particular: none", (cast) => cast.nobody, () => []],
      ["a user by a session's token: its own", () => ofMia!, () => [ofMia]],
    ])("%s", async (_, asker, expected) => {
      const answer = await control(house, asker(cast)).search({ ascending: true, total: "TOTAL_MODE_EXACT" });
      expect(idsOf(answer)).toEqual(ids(...expected()));
      expect(answer.total).toBe(String(expected().length));
    });

    test("a filter shows nobody more than they may see", async () => {
      const asker = control(house, cast.orgOwner);
      expect(await found({ sessionIds: ids(...all) }, asker)).toEqual(ids(ofMia, ofNoah));
      expect(await found({ fingerprintIds: ["agent"] }, asker)).toEqual(ids(ofMia));
      expect(await found({ creatorIds: [cast.loginClient.id] }, asker)).toEqual(ids(ofMia, ofNoah));
      expect(await found({ organizationIds: [cast.elsewhere.id] }, asker)).toEqual([]);
    });
  });

  test.each<[string, () => JsonObject, () => (Made | undefined)[]]>([
    [
      "ids",
      () => ({ sessionIds: [...ids(ofNoah, anonymous, ofNoah), "unknown"] }),
      () => [anonymous, ofNoah],
    ],
    ["users", () => ({ userIds: [cast.otto.id, cast.mia.id] }), () => [ofMia, ofOtto]],
    ["organizations", () => ({ organizationIds: [cast.home.id] }), () => [ofMia, ofNoah]],
    ["creators", () => ({ creatorIds: [cast.owner.id] }), () => [byOwner]],
    ["user agents", () => ({ fingerprintIds: ["agent", "other"] }), () => [agent, ofMia]],
    ["addresses", () => ({ addresses: ["192.0.2.7", "2001:db8:0::1"] }), () => [agent, ofNoah]],
    ["networks", () => ({ addresses: ["192.0.2.128/25", "2001:db8::/32"] }), () => [ofMia, ofNoah]],
    ["every address there is", () => ({ addresses: ["0.0.0.0/0", "::/0"] }), () => [agent, ofMia, ofNoah]],
    [
      "creation, the first end included and the last not",
      () => ({
        createdFrom: new Date(agent!.at).toISOString(),
        createdBefore: new Date(ofNoah!.at).toISOString(),
      }),
      () => [agent, ofMia],
    ],
    [
      "factors there are",
      () => ({ userIds: [cast.mia.id, cast.noah.id], factorsPresent: ["FACTOR_PASSWORD"] }),
      () => [ofMia],
    ],
    [
      "factors there are not",
      () => ({ sessionIds: ids(...all), factorsMissing: ["FACTOR_PASSWORD", "FACTOR_USER"] }),
      () => [anonymous, agent, byOwner],
    ],
    ["metadata", () => ({ userIds: [cast.mia.id], metadata: { floor: base64("2") } }), () => [ofMia]],
    ["other metadata", () => ({ userIds: [cast.mia.id], metadata: { floor: base64("3") } }), () => []],
    [
      "all but some",
      () => ({ exceptSessionIds: ids(anonymous, ofOtto) }),
      () => [agent, ofMia, ofNoah, byOwner],
    ],
    [
      "every condition at once",
      () => ({
        userIds: [cast.mia.id, cast.noah.id],
        creatorIds: [cast.loginClient.id],
        fingerprintIds: ["agent"],
      }),
      () => [ofMia],
    ],
  ])("finds by %s", async (_, filter, expected) => {
    expect(await found(filter())).toEqual(ids(...expected()));
  });

  describe("ended sessions", () => {
    const statusOf = async (id: string) => {
      const [record] = (await admin.search({ filter: { sessionIds: [id], statuses: every } })).sessions!;
      return record!;
    };
    const every = ["SESSION_STATUS_ACTIVE", "SESSION_STATUS_EXPIRED", "SESSION_STATUS_ENDED"];
    const byStatus = (id: string, status: string) =>
      found({ sessionIds: [id], statuses: [`SESSION_STATUS_${status}`] });
    /** Until the event is there, whoever writes it. */
    const written = (id: string) =>
      until("the event of an ending", async () => {
        const { events = [] } = await admin.events(id);
        return events.some(({ type }) => type === "session.terminated" || type === "session.expired");
      });

    test("one that was deleted is ended, by whom and with what right", async () => {
      const { id } = await make({ checks: userCheck(cast.noah) });
      const { details } = await house.as(cast.loginClient).deleteSession({ sessionId: id });
      expect(await byStatus(id, "ACTIVE")).toEqual([]);
      expect(await found({ sessionIds: [id] })).toEqual([]);
      expect(await statusOf(id)).toMatchObject({
        status: "SESSION_STATUS_ENDED",
        ending: {
          reason: "END_REASON_TERMINATED",
          endedAt: new Date(timestampMs(details!.changeDate!)).toISOString(),
          actorId: cast.loginClient.id,
          entitlement: "ENTITLEMENT_PERMISSION",
        },
      });
    });

    test("one that is locked away is ended with the answer to the lock, and its story stays the same", async () => {
      const { lea } = cast;
      const made = await Promise.all([1, 2, 3].map(() => make({ checks: userCheck(lea) })));
      const before = Date.now();
      await admin.lock(lea.id);
      const filter = { statuses: ["SESSION_STATUS_ENDED"], reasons: ["END_REASON_USER_LOCKED"] };
      const { sessions: records, total } = await admin.search({ filter, total: "TOTAL_MODE_EXACT" });
      expect(records!.map(({ session }) => session.id).sort()).toEqual(ids(...made).sort());
      expect(total).toBe("3");
      for (const id of ids(...made)) {
        expect(await byStatus(id, "ACTIVE")).toEqual([]);
        expect(await byStatus(id, "EXPIRED")).toEqual([]);
        const story = await statusOf(id);
        expect(story).toMatchObject({
          status: "SESSION_STATUS_ENDED",
          ending: { reason: "END_REASON_USER_LOCKED", actorId: cast.owner.id },
        });
        expect(new Date(story.ending!.endedAt).getTime()).toBeGreaterThanOrEqual(before - 1);
        await written(id);
        const later = await statusOf(id);
        expect([later.status, later.ending]).toEqual([story.status, story.ending]);
      }
      expect((await found(filter)).sort()).toEqual(ids(...made).sort());
    });

    test("one that is ended by filter tells the operation", async () => {
      const { id } = await make({ userAgent: { fingerprintId: "to be ended" } });
      const { operation } = await admin.end({ filter: { fingerprintIds: ["to be ended"] } });
      expect(await statusOf(id)).toMatchObject({
        status: "SESSION_STATUS_ENDED",
        ending: { reason: "END_REASON_ENDED_BY_FILTER", actorId: cast.owner.id, operationId: operation.id },
      });
      expect(
        await found({ fingerprintIds: ["to be ended"], statuses: every, reasons: ["END_REASON_EXPIRED"] }),
      ).toEqual([]);
    });

    test("one past its lifetime has expired, and is in view until its user is locked", async () => {
      const { tim } = cast;
      const { id } = await make({ checks: userCheck(tim), lifetime: { nanos: 1 } });
      const { session, ...story } = await until("the end of a lifetime", async () => {
        const record = await statusOf(id);
        return record.status === "SESSION_STATUS_EXPIRED" && record;
      });
      expect(story.ending).toEqual({ reason: "END_REASON_EXPIRED", endedAt: session.expirationDate });
      expect(await found({ sessionIds: [id] })).toEqual([id]);
      expect(await byStatus(id, "ACTIVE")).toEqual([]);
      expect(await byStatus(id, "ENDED")).toEqual([]);
      await written(id);
      expect((await statusOf(id)).ending).toEqual(story.ending);

      await admin.lock(tim.id);
      expect(await byStatus(id, "EXPIRED")).toEqual([]);
      expect(await byStatus(id, "ENDED")).toEqual([id]);
      expect(await statusOf(id)).toMatchObject({ status: "SESSION_STATUS_ENDED", ending: story.ending });
      // And of all sessions, whatever index they are read from.
      expect(await found({ statuses: ["SESSION_STATUS_EXPIRED"] })).not.toContain(id);
      expect(await found({ statuses: ["SESSION_STATUS_ENDED"] })).toContain(id);
    });
  });

  describe("order", () => {
    const FEW = () => ({ sessionIds: ids(...all) });
    test("sessions that do not expire come last, whichever way", async () => {
      const sort = "SESSION_SORT_EXPIRATION";
      const never = ids(anonymous, agent, ofOtto, byOwner);
      expect(await found(FEW(), admin, { sort })).toEqual([...ids(ofMia, ofNoah), ...never]);
      expect(await found(FEW(), admin, { sort, ascending: false })).toEqual([
        ...ids(ofNoah, ofMia),
        ...never.reverse(),
      ]);
    });

    test.each(["SESSION_SORT_CHANGE", "SESSION_SORT_LAST_USE"])(
      "%s puts what was changed first last",
      async (sort) => {
        await house
          .as(cast.loginClient)
          .setSession({ sessionId: anonymous!.id, metadata: { sort: bytes(sort) } });
        expect((await found(FEW(), admin, { sort })).at(-1)).toBe(anonymous!.id);
        expect((await found(FEW(), admin, { sort, ascending: false }))[0]).toBe(anonymous!.id);
      },
    );

    test("by creation is the default, the newest first", async () => {
      expect(idsOf(await admin.search({ filter: FEW() }))).toEqual(ids(...all).reverse());
      expect(idsOf(await admin.search({ filter: FEW(), sort: "SESSION_SORT_CREATION" }))).toEqual(
        ids(...all).reverse(),
      );
    });

    test.each(["CHANGE", "EXPIRATION", "LAST_USE"])(
      "by %s takes a filter that few sessions meet",
      async (sort) => {
        const wide: JsonObject[] = [
          {},
          { organizationIds: [cast.home.id] },
          { creatorIds: ["x"] },
          { addresses: ["::/0"] },
        ];
        for (const filter of wide)
          expect(await refusalText(admin.search({ filter, sort: `SESSION_SORT_${sort}` }))).toMatch(
            /^\[invalid_argument\] sort: only a filter by ids, users or fingerprints/,
          );
        for (const filter of [
          { userIds: ["x"] },
          { fingerprintIds: ["x"] },
          { sessionIds: ["x"] },
        ] as JsonObject[])
          expect(await found(filter, admin, { sort: `SESSION_SORT_${sort}` })).toEqual([]);
      },
    );
  });

  describe("pages", () => {
    test("meet: each session that was there is on one of them, while others come and go", async () => {
      const crowd = await Promise.all(
        Array.from({ length: 23 }, () => make({ userAgent: { fingerprintId: "crowd" } })),
      );
      for (const ascending of [true, false]) {
        const walked: string[] = [];
        let cursor = "";
        do {
          const filter = { fingerprintIds: ["crowd"] };
          const page: Found = await admin.search({ filter, ascending, limit: 4, cursor });
          walked.push(...idsOf(page));
          cursor = page.nextCursor ?? "";
          expect(cursor === "" || page.sessions!.length === 4).toBe(true);
          await make({ userAgent: { fingerprintId: "crowd" } });
        } while (cursor !== "");
        expect(new Set(walked).size).toBe(walked.length);
        expect(walked.filter((id) => crowd.some((made) => made.id === id)).sort()).toEqual(
          ids(...crowd).sort(),
        );
      }
    });

    test("the last page has no cursor, also when it is full", async () => {
      const filter = { sessionIds: ids(...all) };
      const first = await admin.search({ filter, limit: 3 });
      const second = await admin.search({ filter, limit: 3, cursor: first.nextCursor! });
      expect(first.nextCursor).not.toBe("");
      expect([...idsOf(first), ...idsOf(second)]).toEqual(ids(...all).reverse());
      expect(second.nextCursor ?? "").toBe("");
    });

    test("go on in the order of expiration past those that do not expire", async () => {
      const filter = { sessionIds: ids(...all) };
      for (const ascending of [true, false]) {
        const request = { filter, ascending, sort: "SESSION_SORT_EXPIRATION" };
        const whole = idsOf(await admin.search(request));
        const walked: string[] = [];
        let cursor = "";
        do {
          const page: Found = await admin.search({ ...request, limit: 1, cursor });
          walked.push(...idsOf(page));
          cursor = page.nextCursor ?? "";
        } while (cursor !== "");
        expect(walked).toEqual(whole);
      }
    });

    test("a cursor is good for its search only, however that is written", async () => {
      const filter = { sessionIds: ids(...all), userIds: [cast.mia.id, cast.noah.id] };
      const { nextCursor: cursor } = await admin.search({ filter, limit: 1 });
      const shuffled = { userIds: filter.userIds.toReversed(), sessionIds: filter.sessionIds.toReversed() };
      expect(idsOf(await admin.search({ filter: shuffled, cursor: cursor!, limit: 7 }))).toEqual(ids(ofMia));
      const others: JsonObject[] = [
        { filter: { ...filter, userIds: [cast.mia.id] } },
        { filter: { ...filter, statuses: ["SESSION_STATUS_ACTIVE"] } },
        { filter, ascending: true },
        { filter, sort: "SESSION_SORT_CHANGE" },
        {},
      ];
      for (const other of others)
        expect(await refusalText(admin.search({ ...other, cursor: cursor! }))).toMatch(
          /^\[invalid_argument\] cursor: /,
        );
    });

    test.each(["x", "e30", "W10", "!!!", "bnVsbA", "A".repeat(1_000)])("%j is no cursor", async (cursor) => {
      expect(await refusalText(admin.search({ cursor }))).toMatch(/^\[invalid_argument\] cursor: /);
    });

    test("have a hundred sessions by default, a thousand at most", async () => {
      const crowd = { fingerprintIds: ["great crowd"] };
      await Promise.all(
        Array.from({ length: 101 }, () => make({ userAgent: { fingerprintId: "great crowd" } })),
      );
      const page = await admin.search({ filter: crowd, total: "TOTAL_MODE_CAPPED" });
      expect(page.sessions).toHaveLength(100);
      expect([page.total, page.totalCapped ?? false]).toEqual(["101", false]);
      expect(await found(crowd, admin, { limit: 1_000 })).toHaveLength(101);
      expect(await refusalText(admin.search({ limit: 1_001 }))).toMatch(
        /^\[invalid_argument\] the limit is above 1000/,
      );
    });
  });

  test("nothing is counted unless it is asked for", async () => {
    const filter = { sessionIds: ids(...all) };
    expect(await admin.search({ filter })).not.toHaveProperty("total");
    expect((await admin.search({ filter, limit: 1, total: "TOTAL_MODE_EXACT" })).total).toBe(
      String(all.length),
    );
    expect((await admin.search({ filter, limit: 1, total: "TOTAL_MODE_CAPPED" })).total).toBe(
      String(all.length),
    );
  });

  test.each<[string, JsonObject, RegExp]>([
    ["an address that is none", { addresses: ["192.0.2.300"] }, /filter\.addresses: /],
    ["metadata alone", { metadata: { a: "MQ==" } }, /filter: factors and metadata have no index/],
    [
      "factors alone",
      { factorsMissing: ["FACTOR_TOTP"], statuses: ["SESSION_STATUS_ACTIVE"] },
      /filter: factors/,
    ],
    ["an empty id", { userIds: [""] }, /UserIds/i],
    [
      "more than a thousand ids",
      { sessionIds: Array.from({ length: 1_001 }, (_, at) => `${at}`) },
      /SessionIds/i,
    ],
  ])("%s is refused by the name of its field", async (_, filter, text) => {
    const refusal = await refusalText(admin.search({ filter }));
    expect(refusal).toMatch(/^\[invalid_argument\]/);
    expect(refusal).toMatch(text);
  });
});
