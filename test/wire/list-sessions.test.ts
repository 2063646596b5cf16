import type { JsonObject } from "@bufbuild/protobuf";
import { timestampFromDate, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { TimestampQueryMethod as Method } from "@zitadel/proto/zitadel/object_pb.js";
import { SessionFieldName } from "@zitadel/proto/zitadel/session/v2/session_pb.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectJson, refusalOf, refused, type SessionClient } from "../support/clients.ts";
import { engines } from "../support/databases.ts";
import { type Cast, type House, signIn, startHouse, userCheck } from "../support/fixtures.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

type ListRequest = Parameters<SessionClient["listSessions"]>[0];
type Query = NonNullable<ListRequest["queries"]>[number];

const byIds = (...ids: string[]): Query => ({ query: { case: "idsQuery", value: { ids } } });
const byUser = (id: string): Query => ({ query: { case: "userIdQuery", value: { id } } });
const byCreator = (id?: string): Query => ({
  query: { case: "creatorQuery", value: id === undefined ? {} : { id } },
});
const byAgent = (fingerprintId?: string): Query => ({
  query: { case: "userAgentQuery", value: fingerprintId === undefined ? {} : { fingerprintId } },
});
const byCreation = (date: Date, method: Method): Query => ({
  query: { case: "creationDateQuery", value: { creationDate: timestampFromDate(date), method } },
});

/** A session as its creator remembers it. */
type Made = { id: string; createdAt: Date };

describe.each(engines)("ListSessions on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let client: SessionClient;
  let owner: SessionClient;
  /** What there is when the tests of this file begin, in the order it was made. */
  const all: Made[] = [];
  let [anonymous, plain, ofMia, ofNoah, ofOtto, expired, byOwner]: Made[] = [];

  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
    client = house.as(cast.loginClient);
    owner = house.as(cast.owner);
    const make = async (request: Parameters<SessionClient["createSession"]>[0], creator = client) => {
      // Of a millisecond of its own, so that dates alone tell them apart.
      const last = all.at(-1)?.createdAt.getTime() ?? 0;
      while (Date.now() <= last) await new Promise(setImmediate);
      const { sessionId, details } = await creator.createSession(request);
      const made = { id: sessionId, createdAt: new Date(timestampMs(details!.changeDate!)) };
      all.push(made);
      return made;
    };
    anonymous = await make({});
    plain = await make({ userAgent: { fingerprintId: "useragent" } });
    ofMia = await make({
      checks: signIn(cast.mia),
      userAgent: { fingerprintId: "useragent", ip: "1.2.3.4", description: "Browser" },
      lifetime: { seconds: 300n },
      metadata: { foo: bytes("bar") },
    });
    ofNoah = await make({ checks: userCheck(cast.noah), lifetime: { seconds: 86_400n } });
    ofOtto = await make({ checks: userCheck(cast.otto) });
    expired = await make({ lifetime: { nanos: 1 } });
    byOwner = await make({}, owner);
    while (Date.now() <= expired.createdAt.getTime() + 1) await new Promise(setImmediate);
  });
  afterAll(() => house.close());

  const list = async (request: ListRequest, caller = owner) => {
    const { sessions, details } = await caller.listSessions(request);
    return { ids: sessions.map(({ id }) => id), total: Number(details!.totalResult), sessions, details };
  };
  const ids = (...made: (Made | undefined)[]) => made.map((one) => one!.id);
  const newestFirst = () => ids(...all).reverse();

  /** By JSON, for what the generated client is too old to know. */
  const listByExpiration = async (
    expirationDate: Date | undefined,
    method: string,
    more: JsonObject[] = [],
  ) => {
    const reply = await connectJson.send(
      { url: house.url, authorization: `Bearer ${cast.owner.token}` },
      "ListSessions",
      {
        queries: [
          {
            expirationDateQuery: {
              ...(expirationDate ? { expirationDate: expirationDate.toISOString() } : {}),
              method: `TIMESTAMP_QUERY_METHOD_${method}`,
            },
          },
          ...more,
        ],
        query: { asc: true },
      },
    );
    const response = reply.response as {
      details: { totalResult?: string };
      sessions?: { id: string }[];
    };
    const found = (response.sessions ?? []).map(({ id }) => id);
    expect(Number(response.details.totalResult ?? 0)).toBe(found.length);
    return found;
  };

  test("S-059: an unknown id is in no list: total 0, and the time of the answer", async () => {
    const before = Date.now();
    for (const unknown of ["no-such-session", "123456789", crypto.randomUUID(), "🏰", ""]) {
      const { sessions, details } = await list({ queries: [byIds(unknown)] });
      expect(sessions).toEqual([]);
      expect(details!.totalResult).toBe(0n);
      expect(details!.processedSequence).toBe(0n);
      expect(timestampMs(details!.timestamp!)).toBeGreaterThanOrEqual(before - 1);
      expect(timestampMs(details!.timestamp!)).toBeLessThanOrEqual(Date.now() + 1);
    }
  });

  test("S-060: what a caller may not see is neither listed nor counted", async () => {
    const found = await list({ queries: [byIds(anonymous!.id)] }, house.as(cast.nobody));
    expect(found.ids).toEqual([]);
    expect(found.total).toBe(0);
  });

  test("S-061: a session is found by its id", async () => {
    const found = await list({ queries: [byIds(anonymous!.id)] });
    expect(found.ids).toEqual([anonymous!.id]);
    expect(found.total).toBe(1);
  });

  test("S-062: a row is what GetSession answers, field by field", async () => {
    const { sessions } = await list({ queries: [byIds(ofMia!.id)] });
    const { session } = await owner.getSession({ sessionId: ofMia!.id });
    expect(sessions).toEqual([session]);
    expect(session!.factors!.user!.id).toBe(cast.mia.id);
    expect(session!.metadata).toEqual({ foo: bytes("bar") });
    expect(session!.userAgent).toMatchObject({ fingerprintId: "useragent", ip: "1.2.3.4" });
  });

  describe("who sees what", () => {
    test.each<[string, (cast: Cast) => { token: string }, () => (Made | undefined)[]]>([
      ["the instance's owner: all", (cast) => cast.owner, () => all],
      ["a viewer of the instance: all", (cast) => cast.viewer, () => all],
      ["an organization's owner: its users'", (cast) => cast.orgOwner, () => [ofMia, ofNoah]],
      ["its manager of users: the same", (cast) => cast.orgUserManager, () => [ofMia, ofNoah]],
      ["another organization's owner: that one's", (cast) => cast.otherOrgOwner, () => [ofOtto]],
      ["a member without the permission: none", (cast) => cast.permissionEditor, () => []],
      ["nobody in particular: none", (cast) => cast.nobody, () => []],
    ])("%s", async (_, caller, expected) => {
      const found = await list({}, house.as(caller(cast)));
      expect(found.ids).toEqual(ids(...expected()).reverse());
      expect(found.total).toBe(expected().length);
    });

    test("a page is full and its total exact, though most rows are not the caller's", async () => {
      const found = await list({ query: { limit: 1 } }, house.as(cast.orgOwner));
      expect(found.ids).toEqual([ofNoah!.id]);
      expect(found.total).toBe(2);
      const second = await list({ query: { limit: 1, offset: 1n } }, house.as(cast.orgOwner));
      expect(second.ids).toEqual([ofMia!.id]);
    });
  });

  describe("by ids", () => {
    test("S-194: each of them", async () => {
      const found = await list({ queries: [byIds(ofMia!.id, anonymous!.id, "unknown", ofMia!.id)] });
      expect(found.ids).toEqual(ids(ofMia, anonymous));
      expect(found.total).toBe(2);
    });
    test("an empty list matches nothing", async () => {
      expect(await list({ queries: [byIds()] })).toMatchObject({ ids: [], total: 0 });
    });
    test("two lists are both to hold", async () => {
      const queries = [byIds(anonymous!.id, ofMia!.id), byIds(ofMia!.id, ofNoah!.id)];
      expect((await list({ queries })).ids).toEqual([ofMia!.id]);
    });
  });

  describe("by user", () => {
    test("S-195: those of the user", async () => {
      expect((await list({ queries: [byUser(cast.mia.id)] })).ids).toEqual([ofMia!.id]);
    });
    test.each(["", "no-such-user"])("%j matches nothing", async (id) => {
      expect(await list({ queries: [byUser(id)] })).toMatchObject({ ids: [], total: 0 });
    });
  });

  describe("by creator", () => {
    test("S-065, S-198: without an id, one's own creations", async () => {
      const found = await list({ queries: [byIds(anonymous!.id), byCreator()] }, client);
      expect(found).toMatchObject({ ids: [anonymous!.id], total: 1 });
      expect((await list({ queries: [byCreator()] })).ids).toEqual([byOwner!.id]);
    });
    test("S-067: and not those of others", async () => {
      expect(await list({ queries: [byIds(anonymous!.id), byCreator()] })).toMatchObject({
        ids: [],
        total: 0,
      });
    });
    test("S-200: with an id, that one's", async () => {
      const found = await list({ queries: [byCreator(cast.loginClient.id)] });
      expect(found.ids).toEqual(newestFirst().filter((id) => id !== byOwner!.id));
      expect((await list({ queries: [byCreator("no-such-user")] })).total).toBe(0);
    });
    test("S-068, S-201: an empty id is refused", async () => {
      expect(await refusalOf(owner.listSessions({ queries: [byCreator("")] }))).toEqual(
        refused(Code.InvalidArgument, "List.Query.Invalid", "GRPC-x8n24uh"),
      );
    });
  });

  describe("by user agent", () => {
    test("S-069: those of the fingerprint", async () => {
      const found = await list({ queries: [byIds(plain!.id, anonymous!.id), byAgent("useragent")] });
      expect(found).toMatchObject({ ids: [plain!.id], total: 1 });
    });
    test("S-070: and none of another", async () => {
      expect(await list({ queries: [byIds(plain!.id), byAgent("wronguseragent")] })).toMatchObject({
        ids: [],
        total: 0,
      });
    });
    test.each([
      ["S-071, S-204: an empty one", ""],
      ["one's own, of a caller who has none,", undefined],
    ])("%s is refused", async (_, fingerprintId) => {
      expect(await refusalOf(owner.listSessions({ queries: [byAgent(fingerprintId)] }))).toEqual(
        refused(Code.InvalidArgument, "List.Query.Invalid", "GRPC-x8n23uh"),
      );
    });
  });

  describe("by creation date", () => {
    test.each<[string, Method, (at: number, middle: number) => boolean]>([
      ["EQUALS", Method.EQUALS, (at, middle) => at === middle],
      ["GREATER", Method.GREATER, (at, middle) => at > middle],
      ["GREATER_OR_EQUALS", Method.GREATER_OR_EQUALS, (at, middle) => at >= middle],
      ["S-196: LESS", Method.LESS, (at, middle) => at < middle],
      ["LESS_OR_EQUALS", Method.LESS_OR_EQUALS, (at, middle) => at <= middle],
    ])("%s holds to the date as it was read back, exactly", async (_, method, holds) => {
      const { session } = await owner.getSession({ sessionId: ofNoah!.id });
      const found = await list({
        queries: [
          { query: { case: "creationDateQuery", value: { creationDate: session!.creationDate!, method } } },
        ],
      });
      const expected = all.filter(({ createdAt }) => holds(createdAt.getTime(), ofNoah!.createdAt.getTime()));
      expect(found.ids).toEqual(ids(...expected).reverse());
      expect(found.total).toBe(expected.length);
    });

    test("without a date it is 1970", async () => {
      const query = (method: Method): Query => ({ query: { case: "creationDateQuery", value: { method } } });
      expect((await list({ queries: [query(Method.GREATER)] })).total).toBe(all.length);
      expect((await list({ queries: [query(Method.LESS_OR_EQUALS)] })).total).toBe(0);
    });

    test("takes every date a timestamp can name", async () => {
      const first = new Date("0001-01-01T00:00:00Z");
      const last = new Date("9999-12-31T23:59:59.999Z");
      expect((await list({ queries: [byCreation(first, Method.GREATER)] })).total).toBe(all.length);
      expect((await list({ queries: [byCreation(last, Method.GREATER)] })).total).toBe(0);
      expect((await list({ queries: [byCreation(last, Method.LESS)] })).total).toBe(all.length);
    });

    test.each([-62_135_596_801n, 253_402_300_800n, 9_223_372_036_854_775_807n, -9_223_372_036_854_775_808n])(
      "%s seconds are no timestamp, and refused",
      async (seconds) => {
        const refusal = await refusalOf(
          owner.listSessions({
            queries: [
              {
                query: {
                  case: "creationDateQuery",
                  value: { creationDate: { seconds }, method: Method.GREATER },
                },
              },
            ],
          }),
        );
        expect(refusal).toMatchObject({
          code: Code.InvalidArgument,
          message: expect.stringContaining(
            "invalid CreationDateQuery.CreationDate: value must be a timestamp of the years 0001 to 9999",
          ),
        });
      },
    );
  });

  describe("by expiration", () => {
    const now = () => new Date();
    test("S-073: none counts as later than anything", async () => {
      const more = [{ idsQuery: { ids: [anonymous!.id] } }];
      for (const method of ["GREATER", "GREATER_OR_EQUALS"])
        expect(await listByExpiration(now(), method, more)).toEqual([anonymous!.id]);
    });
    test("S-074: one that is past is listed", async () => {
      expect(await listByExpiration(now(), "LESS_OR_EQUALS", [{ idsQuery: { ids: [expired!.id] } }])).toEqual(
        [expired!.id],
      );
    });
    test.each<[string, string, () => (Made | undefined)[]]>([
      ["S-206: EQUALS", "EQUALS", () => [ofMia]],
      ["LESS", "LESS", () => [expired]],
      ["S-209: LESS_OR_EQUALS", "LESS_OR_EQUALS", () => [ofMia, expired]],
      ["S-210: GREATER", "GREATER", () => [anonymous, plain, ofNoah, ofOtto, byOwner]],
      [
        "S-211: GREATER_OR_EQUALS",
        "GREATER_OR_EQUALS",
        () => [anonymous, plain, ofMia, ofNoah, ofOtto, byOwner],
      ],
    ])("%s, against the expiration of one of them", async (_, method, expected) => {
      const expiration = new Date(ofMia!.createdAt.getTime() + 300_000);
      expect(await listByExpiration(expiration, method)).toEqual(ids(...expected()));
    });
    test("without a date it is 1970, before which nothing expired", async () => {
      expect(await listByExpiration(undefined, "LESS")).toEqual([]);
      expect(await listByExpiration(undefined, "GREATER")).toEqual(ids(...all));
    });
  });

  test("S-188, S-192: all queries are to hold at once", async () => {
    const queries = [
      byIds(plain!.id, ofMia!.id, ofNoah!.id),
      byUser(cast.mia.id),
      byCreator(),
      byAgent("useragent"),
      byCreation(anonymous!.createdAt, Method.GREATER),
      byCreation(byOwner!.createdAt, Method.LESS),
    ];
    expect(await list({ queries }, client)).toMatchObject({ ids: [ofMia!.id], total: 1 });
    expect(await list({ queries })).toMatchObject({ ids: [], total: 0 });
    for (const wrong of [byIds(plain!.id), byUser(cast.noah.id), byAgent("other"), byCreator(cast.owner.id)])
      expect((await list({ queries: [...queries, wrong] }, client)).total).toBe(0);
  });

  test.each([
    ["S-193, S-191: a query without a member", [{ query: { case: undefined } }], "Queries[0]"],
    ["S-189: one beside a good one", [byIds("x"), { query: { case: undefined } }], "Queries[1]"],
  ] as const)("%s is refused by its place", async (_, queries, place) => {
    expect(await refusalOf(owner.listSessions({ queries: [...queries] }))).toEqual({
      code: Code.InvalidArgument,
      message:
        `invalid ListSessionsRequest.${place}: embedded message failed validation | caused by: ` +
        "invalid SearchQuery.Query: value is required",
    });
  });

  test("an unknown comparison is refused by the name of its field", async () => {
    const { code, message } = await refusalOf(
      owner.listSessions({ queries: [byCreation(new Date(), 5 as Method)] }),
    );
    expect(code).toBe(Code.InvalidArgument);
    expect(message).toMatch(
      /invalid CreationDateQuery\.Method: value must be one of the defined enum values$/,
    );
  });

  describe("order and pages", () => {
    test("S-186, S-190: without a query, all of them, the newest first", async () => {
      expect(await list({})).toMatchObject({ ids: newestFirst(), total: all.length });
    });
    test.each([
      ["S-187: by creation date", SessionFieldName.CREATION_DATE],
      ["by nothing in particular", SessionFieldName.UNSPECIFIED],
      ["by a column nobody knows", 7 as SessionFieldName],
    ])("%s, descending and ascending", async (_, sortingColumn) => {
      expect((await list({ sortingColumn })).ids).toEqual(newestFirst());
      expect((await list({ sortingColumn, query: { asc: true } })).ids).toEqual(ids(...all));
    });

    test("X-017: of three, the middle one, from either end", async () => {
      const queries = [byIds(anonymous!.id, ofNoah!.id, byOwner!.id)];
      for (const asc of [true, false]) {
        const found = await list({
          queries,
          sortingColumn: SessionFieldName.CREATION_DATE,
          query: { offset: 1n, limit: 1, asc },
        });
        expect(found).toMatchObject({ ids: [ofNoah!.id], total: 3 });
      }
    });

    test("pages meet without a gap, and each has the same total", async () => {
      const found: string[] = [];
      for (let offset = 0n; offset < 9n; offset += 3n) {
        const page = await list({ query: { offset, limit: 3 } });
        expect(page.total).toBe(all.length);
        found.push(...page.ids);
      }
      expect(found).toEqual(newestFirst());
    });

    test.each([7n, 10_000n, 9_223_372_036_854_775_807n, 18_446_744_073_709_551_615n])(
      "beyond the end, at %s, a page is empty and the total exact",
      async (offset) => {
        expect(await list({ query: { offset } })).toMatchObject({ ids: [], total: all.length });
      },
    );

    test("a limit of 1000 is the most, and more is refused", async () => {
      expect((await list({ query: { limit: 1_000 } })).total).toBe(all.length);
      for (const limit of [1_001, 4_294_967_295])
        expect(await refusalOf(owner.listSessions({ query: { limit } }))).toEqual(
          refused(Code.InvalidArgument, "the limit is above 1000", "GATE-L1m1t"),
        );
    });
  });

  describe("of many", () => {
    let made: string[];
    beforeAll(async () => {
      made = await Promise.all(
        Array.from({ length: 103 }, async () => {
          const { sessionId } = await client.createSession({ userAgent: { fingerprintId: "crowd" } });
          return sessionId;
        }),
      );
    });

    test("a hundred are the page of whom asks for no number", async () => {
      const found = await list({ queries: [byAgent("crowd")] });
      expect(found.ids).toHaveLength(100);
      expect(found.total).toBe(103);
    });

    test("those of one moment have an order too: pages meet, forwards and backwards", async () => {
      const walk = async (asc: boolean) => {
        const found: string[] = [];
        for (let offset = 0; offset < 103; offset += 25)
          found.push(
            ...(
              await list({ queries: [byAgent("crowd")], query: { offset: BigInt(offset), limit: 25, asc } })
            ).ids,
          );
        return found;
      };
      const forwards = await walk(true);
      expect([...forwards].sort()).toEqual([...made].sort());
      expect((await walk(false)).reverse()).toEqual(forwards);
    });

    test("a list sees a session that was acknowledged a moment ago", async () => {
      for (let at = 0; at < 20; at++) {
        const { sessionId } = await client.createSession({});
        expect((await list({ queries: [byIds(sessionId)] })).total).toBe(1);
        await client.deleteSession({ sessionId });
        expect((await list({ queries: [byIds(sessionId)] })).total).toBe(0);
      }
    });
  });
});
