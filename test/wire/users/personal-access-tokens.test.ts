import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { type Cast, type House, signIn, startHouse } from "../../support/fixtures.ts";
import { protocolsOn } from "../protocols.ts";
import {
  newBot as addBot,
  asking,
  type Call,
  idsOf,
  permissionDenied,
  refusal,
  time,
  unauthenticated,
  uuid,
} from "./wire.ts";

const FAR = "2100-01-01T00:00:00Z";
const NEVER = "9999-12-31T23:59:59Z";
const tokenText = expect.stringMatching(/^gatehouse_pat_[\w-]{43}$/) as unknown as string;

const notMachine = refused(
  Code.FailedPrecondition,
  "only machine users have personal access tokens",
  "COMMAND-Df2f1",
);
const userNotFound = refused(Code.FailedPrecondition, "user could not be found", "COMMAND-Dggw2");
const tokenNotFound = refused(Code.NotFound, "token could not be found", "COMMAND-4m77G");
const inThePast = refused(Code.InvalidArgument, "expiration date is in the past", "DOMAIN-dv3t5");

type Added = { tokenId: string; token: string; creationDate: string };

describe.each(engines)("personal access tokens on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let ask: Call;
  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
    ask = asking(house, cast.owner);
  });
  afterAll(() => house.close());

  const newBot = (organizationId = cast.elsewhere.id) => addBot(ask, organizationId);
  const add = (userId: string, call: Call = ask, expirationDate = FAR) =>
    call("AddPersonalAccessToken", { userId, expirationDate }) as Promise<Added>;
  const remove = (userId: string, tokenId: string, call: Call = ask) =>
    call("RemovePersonalAccessToken", { userId, tokenId });
  const expectGood = async (token: string, userId: string) =>
    expect((await asking(house, { token })("GetUserByID", { userId })).user).toMatchObject({ userId });
  const expectBad = async (token: string) =>
    expect(await refusal(asking(house, { token })("ListUsers"))).toEqual(unauthenticated);
  const list = async (request: JsonObject, call: Call = ask) => {
    const { pagination, result } = (await call("ListPersonalAccessTokens", request)) as {
      pagination: JsonObject;
      result?: JsonObject[];
    };
    return { ids: idsOf(result), total: Number(pagination.totalResult ?? 0) };
  };

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    test("work as bearer from the answer on, are listed without their text, and are worthless once removed", async () => {
      const call = asking(house, cast.owner, protocol);
      const userId = await newBot();
      const added = await add(userId, call);
      expect(added).toEqual({ tokenId: uuid, token: tokenText, creationDate: time });
      const bot = asking(house, added, protocol);
      expect((await bot("GetUserByID", { userId })).user).toMatchObject({ userId });

      const filters = [{ tokenIdFilter: { id: added.tokenId } }];
      expect(await call("ListPersonalAccessTokens", { filters })).toEqual({
        pagination: { totalResult: "1", appliedLimit: "100" },
        result: [
          {
            id: added.tokenId,
            userId,
            organizationId: cast.elsewhere.id,
            creationDate: added.creationDate,
            changeDate: added.creationDate,
            expirationDate: FAR,
          },
        ],
      });

      expect(await remove(userId, added.tokenId, call)).toEqual({ deletionDate: time });
      expect(await refusal(bot("GetUserByID", { userId }))).toEqual(unauthenticated);
      expect(await call("ListPersonalAccessTokens", { filters })).toEqual({
        pagination: { appliedLimit: "100" },
      });
    });
  });

  test("count as a change of their user", async () => {
    const userId = await newBot();
    const sequence = async () =>
      ((await ask("GetUserByID", { userId })).details as { sequence: string }).sequence;
    const { tokenId } = await add(userId);
    expect(await sequence()).toBe("2");
    await remove(userId, tokenId);
    expect(await sequence()).toBe("3");
  });

  test("are each their own: removing one leaves the others", async () => {
    const userId = await newBot();
    const [one, two] = [await add(userId), await add(userId)];
    expect(one.token).not.toBe(two.token);
    await remove(userId, one.tokenId);
    await expectBad(one.token);
    await expectGood(two.token, userId);
  });

  describe("belong to a service account", () => {
    test("that makes and removes its own without any role", async () => {
      const userId = await newBot();
      const bot = asking(house, await add(userId));
      const own = await add(userId, bot);
      await expectGood(own.token, userId);
      await remove(userId, own.tokenId, bot);
      await expectBad(own.token);
    });

    test("whose organization's administrator makes and removes them, and no other's", async () => {
      const [here, there] = [await newBot(cast.home.id), await newBot(cast.elsewhere.id)];
      const orgOwner = asking(house, cast.orgOwner);
      const own = await add(here, orgOwner);
      const foreign = await add(there);
      expect(await refusal(add(there, orgOwner))).toEqual(permissionDenied);
      expect(await refusal(remove(there, foreign.tokenId, orgOwner))).toEqual(permissionDenied);
      await expectGood(foreign.token, there);
      await remove(here, own.tokenId, orgOwner);
      await expectBad(own.token);
    });

    test("whom a stranger gives none and takes none", async () => {
      const userId = await newBot();
      const { tokenId, token } = await add(userId);
      const stranger = asking(house, cast.nobody);
      expect(await refusal(add(userId, stranger))).toEqual(permissionDenied);
      expect(await refusal(remove(userId, tokenId, stranger))).toEqual(permissionDenied);
      await expectGood(token, userId);
    });

    test("never to a person, even by the person's own wish", async () => {
      expect(await refusal(add(cast.mia.id))).toEqual(notMachine);
      const { sessionToken } = await house.as(cast.loginClient).createSession({ checks: signIn(cast.mia) });
      expect(await refusal(add(cast.mia.id, asking(house, { token: sessionToken })))).toEqual(notMachine);
    });

    test("that exists", async () => {
      expect(await refusal(add("nobody-of-that-id"))).toEqual(userNotFound);
      const userId = await newBot();
      const { tokenId } = await add(userId);
      await ask("DeleteUser", { userId });
      expect(await refusal(add(userId))).toEqual(userNotFound);
      expect(await refusal(remove(userId, tokenId))).toEqual(tokenNotFound);
      expect((await list({ filters: [{ tokenIdFilter: { id: tokenId } }] })).total).toBe(0);
    });
  });

  describe("are removed", () => {
    test("once", async () => {
      const userId = await newBot();
      const { tokenId } = await add(userId);
      await remove(userId, tokenId);
      expect(await refusal(remove(userId, tokenId))).toEqual(tokenNotFound);
      expect(await refusal(remove(userId, "no-such-token"))).toEqual(tokenNotFound);
    });

    test("under the name of their user only", async () => {
      const [mine, other] = [await newBot(), await newBot()];
      const [{ token }, foreign] = [await add(mine), await add(other)];
      const bot = asking(house, { token });
      expect(await refusal(remove(mine, foreign.tokenId, bot))).toEqual(tokenNotFound);
      expect(await refusal(remove(mine, foreign.tokenId))).toEqual(tokenNotFound);
      await expectGood(foreign.token, other);
    });
  });

  describe("expire", () => {
    test("when they are said to, and not before", async () => {
      const userId = await newBot();
      const expiresAt = Date.now() + 1_500;
      const { token } = await add(userId, ask, new Date(expiresAt).toISOString());
      const bot = asking(house, { token });
      const works = () =>
        bot("GetUserByID", { userId })
          .then(() => true)
          .catch((error) => refusal(Promise.reject(error)));
      for (;;) {
        const [before, outcome, after] = [Date.now(), await works(), Date.now()];
        // The clock is the database's, on the same machine.
        if (outcome === true) expect(before).toBeLessThanOrEqual(expiresAt + 1);
        else {
          expect(outcome).toEqual(unauthenticated);
          expect(after).toBeGreaterThanOrEqual(expiresAt);
          break;
        }
      }
      expect((await list({ filters: [{ userIdFilter: { id: userId } }] })).total).toBe(1);
    });

    test.each(["1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", NEVER])(
      "never, if said by %s",
      async (never) => {
        const userId = await newBot();
        const { token } = await add(userId, ask, never);
        await expectGood(token, userId);
        const { result } = await ask("ListPersonalAccessTokens", {
          filters: [{ userIdFilter: { id: userId } }],
        });
        expect(result).toMatchObject([{ expirationDate: NEVER }]);
      },
    );

    test.each([
      ["long ago", () => "2020-01-01T00:00:00Z"],
      ["a second after the epoch", () => "1970-01-01T00:00:01Z"],
      ["just now", () => new Date(Date.now() - 1).toISOString()],
    ])("not in the past: %s", async (_, date) => {
      const userId = await newBot();
      expect(await refusal(add(userId, ask, date()))).toEqual(inThePast);
      expect((await list({ filters: [{ userIdFilter: { id: userId } }] })).total).toBe(0);
    });
  });

  const length = "value length must be between 1 and 200 runes, inclusive";
  const [long, defined] = ["x".repeat(201), "value must be one of the defined enum values"];
  test.each([
    [
      "AddPersonalAccessToken",
      { userId: "u" },
      "invalid AddPersonalAccessTokenRequest.ExpirationDate: value is required",
    ],
    [
      "AddPersonalAccessToken",
      { expirationDate: FAR },
      `invalid AddPersonalAccessTokenRequest.UserId: ${length}`,
    ],
    [
      "RemovePersonalAccessToken",
      { userId: long, tokenId: "t" },
      `invalid RemovePersonalAccessTokenRequest.UserId: ${length}`,
    ],
    [
      "RemovePersonalAccessToken",
      { userId: "u" },
      `invalid RemovePersonalAccessTokenRequest.TokenId: ${length}`,
    ],
    [
      "ListPersonalAccessTokens",
      { sortingColumn: 99 },
      `invalid ListPersonalAccessTokensRequest.SortingColumn: ${defined}`,
    ],
    [
      "ListPersonalAccessTokens",
      { filters: [{}] },
      "invalid ListPersonalAccessTokensRequest.Filters[0]: embedded message failed validation | caused by: " +
        "invalid PersonalAccessTokensSearchFilter.Filter: value is required",
    ],
    [
      "ListPersonalAccessTokens",
      { filters: [{ createdDateFilter: { method: 99 } }] },
      "invalid ListPersonalAccessTokensRequest.Filters[0]: embedded message failed validation | caused by: " +
        "invalid PersonalAccessTokensSearchFilter.CreatedDateFilter: embedded message failed validation | caused by: " +
        `invalid TimestampFilter.Method: ${defined}`,
    ],
  ] as const)("%s %j names the field", async (method, request, message) => {
    expect(await refusal(ask(method, request as unknown as JsonObject))).toEqual({
      code: Code.InvalidArgument,
      message,
    });
  });

  describe("are listed", () => {
    type Known = Added & { userId: string; organizationId: string; expirationDate: string };
    const known: Known[] = [];
    let own: JsonObject;
    beforeAll(async () => {
      await ask("AddOrganization", { name: "tokens", organizationId: "org-a" });
      await ask("AddOrganization", { name: "more tokens", organizationId: "org-b" });
      const owners = [await newBot("org-b"), await newBot("org-a"), await newBot("org-b")];
      const expirations = [
        NEVER,
        "2100-03-01T00:00:00Z",
        "2100-01-01T00:00:00Z",
        "2100-03-01T00:00:00Z",
        NEVER,
        "2100-02-01T00:00:00Z",
      ];
      for (const [index, expirationDate] of expirations.entries()) {
        const userId = owners[index % 3]!;
        const organizationId = index % 3 === 1 ? "org-a" : "org-b";
        known.push({ ...(await add(userId, ask, expirationDate)), userId, organizationId, expirationDate });
      }
      // Nothing of the others: those were made before, and none after.
      own = {
        createdDateFilter: {
          timestamp: known[0]!.creationDate,
          method: "TIMESTAMP_FILTER_METHOD_AFTER_OR_EQUALS",
        },
      };
    });

    const idsWhere = (matches: (token: Known) => boolean) =>
      known.filter(matches).map(({ tokenId }) => tokenId);
    const found = async (...filters: JsonObject[]) =>
      (await list({ pagination: { asc: true }, filters: [own, ...filters] })).ids;

    test("by token, user and organization", async () => {
      const [first] = known;
      expect(await found()).toEqual(idsWhere(() => true));
      expect(await found({ tokenIdFilter: { id: first!.tokenId } })).toEqual([first!.tokenId]);
      expect(await found({ userIdFilter: { id: first!.userId } })).toEqual(
        idsWhere(({ userId }) => userId === first!.userId),
      );
      expect(await found({ organizationIdFilter: { id: "org-a" } })).toEqual(
        idsWhere(({ organizationId }) => organizationId === "org-a"),
      );
      expect(
        await found({ organizationIdFilter: { id: "org-a" } }, { userIdFilter: { id: first!.userId } }),
      ).toEqual([]);
      expect(await found({ tokenIdFilter: {} })).toEqual([]);
    });

    const comparisons: [method: string, holds: (a: number, b: number) => boolean][] = [
      ["EQUALS", (a, b) => a === b],
      ["AFTER", (a, b) => a > b],
      ["AFTER_OR_EQUALS", (a, b) => a >= b],
      ["BEFORE", (a, b) => a < b],
      ["BEFORE_OR_EQUALS", (a, b) => a <= b],
    ];
    test.each(comparisons)(
      "by dates: %s; what never expires does so after all others",
      async (method, holds) => {
        for (const { creationDate, expirationDate } of known) {
          const filter = (timestamp: string) => ({ timestamp, method: `TIMESTAMP_FILTER_METHOD_${method}` });
          const compared = (a: string, b: string) => holds(Date.parse(a), Date.parse(b));
          expect(await found({ createdDateFilter: filter(creationDate) })).toEqual(
            idsWhere((token) => compared(token.creationDate, creationDate)),
          );
          if (expirationDate === NEVER) continue;
          expect(await found({ expirationDateFilter: filter(expirationDate) })).toEqual(
            idsWhere((token) => compared(token.expirationDate, expirationDate)),
          );
        }
      },
    );

    const columns: [column: string, of: (token: Known) => string][] = [
      ["CREATED_DATE", ({ tokenId }) => String(known.findIndex((each) => each.tokenId === tokenId))],
      ["UNSPECIFIED", ({ tokenId }) => String(known.findIndex((each) => each.tokenId === tokenId))],
      ["ID", ({ tokenId }) => tokenId],
      ["USER_ID", ({ userId }) => userId],
      ["ORGANIZATION_ID", ({ organizationId }) => organizationId],
      ["EXPIRATION_DATE", ({ expirationDate }) => expirationDate],
    ];
    const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
    test.each(columns)("in the order of %s and then of their ids, and page by page", async (column, of) => {
      const sorted = (pagination: JsonObject) =>
        list({
          pagination,
          sortingColumn: `PERSONAL_ACCESS_TOKEN_FIELD_NAME_${column}`,
          filters: [own],
        });
      const expected = [...known]
        .sort((a, b) => compare(of(a), of(b)) || compare(a.tokenId, b.tokenId))
        .map(({ tokenId }) => tokenId);
      expect(await sorted({ asc: true })).toEqual({ ids: expected, total: 6 });
      expect(await sorted({})).toEqual({ ids: [...expected].reverse(), total: 6 });
      expect(await sorted({ asc: true, limit: 4 })).toEqual({ ids: expected.slice(0, 4), total: 6 });
      expect(await sorted({ asc: true, limit: 4, offset: "4" })).toEqual({
        ids: expected.slice(4),
        total: 6,
      });
      expect(await sorted({ asc: true, offset: "6" })).toEqual({ ids: [], total: 6 });
    });

    test("with the limit that was applied, up to a thousand", async () => {
      const applied = async (pagination?: JsonObject) =>
        ((await ask("ListPersonalAccessTokens", pagination ? { pagination } : {})).pagination as JsonObject)
          .appliedLimit;
      expect(await applied()).toBe("100");
      expect(await applied({})).toBe("100");
      expect(await applied({ limit: 7 })).toBe("7");
      expect(await applied({ limit: 1_000 })).toBe("1000");
      expect(await refusal(ask("ListPersonalAccessTokens", { pagination: { limit: 1_001 } }))).toEqual(
        refused(Code.InvalidArgument, "the limit is above 1000", "GATE-L1m1t"),
      );
    });

    test("as far as one may read their users, and counted no further", async () => {
      await ask("CreateAdministrator", {
        userId: cast.permissionEditor.id,
        resource: { organizationId: "org-a" },
        roles: ["ORG_OWNER_VIEWER"],
      });
      const all = { pagination: { asc: true, limit: 1_000 } };
      const whole = await list(all);
      expect(whole.total).toBe(whole.ids.length);
      expect(await list(all, asking(house, cast.viewer))).toEqual(whole);

      const orgA = idsWhere(({ organizationId }) => organizationId === "org-a");
      const editor = asking(house, cast.permissionEditor);
      expect(await list({ ...all, filters: [own] }, editor)).toEqual({ ids: orgA, total: 2 });

      const bot = asking(house, known[0]!);
      const mine = idsWhere(({ userId }) => userId === known[0]!.userId);
      expect(await list(all, bot)).toEqual({ ids: mine, total: 2 });
      expect(await list({ filters: [{ tokenIdFilter: { id: known[1]!.tokenId } }] }, bot)).toEqual({
        ids: [],
        total: 0,
      });
      expect((await list(all, asking(house, cast.nobody))).total).toBe(1);
    });
  });
});
