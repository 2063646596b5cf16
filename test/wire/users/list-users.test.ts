import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { type Cast, type House, PASSWORD, signIn, startHouse } from "../../support/fixtures.ts";
import { protocolsOn } from "../protocols.ts";
import { asking, type Call, idsOf, person, refusal, time } from "./wire.ts";

/** What a list can search by, as the test knows it; absent texts are empty. */
type Known = {
  id: string;
  userName: string;
  firstName: string;
  lastName: string;
  nickName: string;
  displayName: string;
  email: string;
  phone: string;
};

const human = (id: string, known: Omit<Known, "id">): { known: Known; request: JsonObject } => ({
  known: { id, ...known },
  request: {
    userId: id,
    username: known.userName,
    human: {
      profile: {
        givenName: known.firstName,
        familyName: known.lastName,
        nickName: known.nickName,
        displayName: known.displayName,
      },
      email: { email: known.email, isVerified: true },
      phone: { phone: known.phone },
    },
  },
});

/** Each sign of a pattern stands in a value, beside a value that it would match if it meant anything. */
const searched = [
  human("ann", {
    userName: "Ann_1",
    firstName: "Ann",
    lastName: "O_Hara",
    nickName: "50%",
    displayName: "Ann (50%)",
    email: "Ann@List.example",
    phone: "+41791111111",
  }),
  human("ben", {
    userName: "ben%2",
    firstName: "ANN",
    lastName: "OxHara",
    nickName: "50",
    displayName: "b\\en",
    email: "ann_b@list.example",
    phone: "",
  }),
  human("cal", {
    userName: "Cal\\3",
    firstName: "annA",
    lastName: "o%hara",
    nickName: "5000%5",
    displayName: "ben",
    email: "annxb@list.example",
    phone: "+41791111112",
  }),
  human("dan", {
    userName: "annX1",
    firstName: "Ännchen",
    lastName: "o\\hara",
    nickName: "",
    displayName: "ÄNNCHEN o\\hara",
    email: "dan@LIST.example",
    phone: "",
  }),
];
const bot: Known = {
  id: "bot",
  userName: "a-bot",
  firstName: "",
  lastName: "",
  nickName: "",
  displayName: "",
  email: "",
  phone: "",
};
const everyone = [...searched.map(({ known }) => known), bot];

const textQueries: [query: string, member: string, of: keyof Known][] = [
  ["userNameQuery", "userName", "userName"],
  ["loginNameQuery", "loginName", "userName"],
  ["firstNameQuery", "firstName", "firstName"],
  ["lastNameQuery", "lastName", "lastName"],
  ["nickNameQuery", "nickName", "nickName"],
  ["displayNameQuery", "displayName", "displayName"],
  ["emailQuery", "emailAddress", "email"],
  ["phoneQuery", "number", "phone"],
];

const textMethods: [method: string, matches: (stored: string, given: string) => boolean][] = [
  ["EQUALS", (stored, given) => stored === given],
  ["STARTS_WITH", (stored, given) => stored.startsWith(given)],
  ["CONTAINS", (stored, given) => stored.includes(given)],
  ["ENDS_WITH", (stored, given) => stored.endsWith(given)],
];

/** Whole values, their pieces in another case, and what would be a pattern. */
function values(of: keyof Known): string[] {
  const whole = everyone.map((each) => each[of]).filter((value) => value !== "");
  const pieces = whole.flatMap((value) => [value.slice(0, 3), value.slice(-3), value.slice(1, -1)]);
  const patterns = ["%", "_", "\\", "a_n", "%n", "0%", "_1", "%2", "l\\3", "\\%", "\\\\", "nowhere"];
  const limit = of === "phone" ? 20 : 200;
  return [
    ...new Set([...whole, ...whole.map((value) => value.toUpperCase()), ...pieces, ...patterns]),
  ].filter((value) => value !== "" && value.length <= limit);
}

describe.each(engines)("ListUsers on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let ask: Call;
  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
    ask = asking(house, cast.owner);
    for (const name of ["searched", "sorted", "crowd"]) {
      await ask("AddOrganization", { name, organizationId: name });
    }
    const inSearched = { organizationId: "searched" };
    for (const { request } of searched) await ask("CreateUser", { ...inSearched, ...request });
    await ask("CreateUser", { ...inSearched, userId: "bot", username: "a-bot", machine: { name: "A bot" } });
    const gone = await ask("CreateUser", { ...inSearched, userId: "gone", human: person("gone") });
    await ask("DeleteUser", { userId: gone.id! });
  });
  afterAll(() => house.close());

  const inside = (organizationId: string) => ({ organizationIdQuery: { organizationId } });
  const list = async (request: JsonObject, call: Call = ask) => {
    const { details, result, ...rest } = (await call("ListUsers", request)) as {
      details: JsonObject;
      result?: JsonObject[];
    };
    expect(details.timestamp).toEqual(time);
    return { ids: idsOf(result, "userId"), total: Number(details.totalResult ?? 0), ...rest };
  };
  const found = async (...queries: JsonObject[]) =>
    (await list({ query: { asc: true }, queries: [inside("searched"), ...queries] })).ids;

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    test("shows each user as GetUserByID does, with the total and the time of the reading", async () => {
      const call = asking(house, cast.owner, protocol);
      const answer = await call("ListUsers", {
        query: { asc: true },
        sortingColumn: "USER_FIELD_NAME_USER_NAME",
        queries: [{ inUserIdsQuery: { userIds: ["ann", "bot"] } }],
      });
      const one = async (userId: string) => (await call("GetUserByID", { userId })).user;
      expect(answer).toEqual({
        details: { totalResult: "2", timestamp: time },
        sortingColumn: "USER_FIELD_NAME_USER_NAME",
        result: [await one("bot"), await one("ann")],
      });
    });

    test("says nothing but the time where there is nobody", async () => {
      const call = asking(house, cast.owner, protocol);
      expect(await call("ListUsers", { queries: [inside("crowd-of-nobody")] })).toEqual({
        details: { timestamp: time },
      });
    });
  });

  describe.each(textQueries)("by %s", (query, member, of) => {
    test.each(textMethods)(
      "%s takes every character for itself, and case as it is told",
      async (method, matches) => {
        const fold = (text: string) => text.toLowerCase();
        await Promise.all(
          values(of).flatMap((value) => [
            found({ [query]: { [member]: value, method: `TEXT_QUERY_METHOD_${method}` } }).then((ids) =>
              expect(ids, `${method} ${value}`).toEqual(
                everyone.filter((each) => matches(each[of], value)).map(({ id }) => id),
              ),
            ),
            found({ [query]: { [member]: value, method: `TEXT_QUERY_METHOD_${method}_IGNORE_CASE` } }).then(
              (ids) =>
                expect(ids, `${method} ${value}, ignoring case`).toEqual(
                  everyone.filter((each) => matches(fold(each[of]), fold(value))).map(({ id }) => id),
                ),
            ),
          ]),
        );
      },
    );
  });

  test.each<[query: JsonObject, expected: string[]]>([
    [{ emailQuery: { emailAddress: "" } }, ["bot"]],
    [{ phoneQuery: { number: "" } }, ["ben", "dan", "bot"]],
    [{ typeQuery: { type: "TYPE_HUMAN" } }, ["ann", "ben", "cal", "dan"]],
    [{ typeQuery: { type: "TYPE_MACHINE" } }, ["bot"]],
    [{ typeQuery: {} }, []],
    [{ stateQuery: { state: "USER_STATE_ACTIVE" } }, ["ann", "ben", "cal", "dan", "bot"]],
    [{ stateQuery: { state: "USER_STATE_LOCKED" } }, []],
    [{ stateQuery: { state: "USER_STATE_DELETED" } }, []],
    [{ stateQuery: { state: "USER_STATE_INITIAL" } }, []],
    [{ stateQuery: {} }, []],
    [{ inUserIdsQuery: { userIds: ["bot", "ann", "gone", "nobody-of-that-id"] } }, ["ann", "bot"]],
    [{ inUserIdsQuery: {} }, []],
    [{ inUserEmailsQuery: { userEmails: ["dan@LIST.example", "annxb@list.example"] } }, ["cal", "dan"]],
    [{ inUserEmailsQuery: { userEmails: ["gone@example.com"] } }, []],
    [inside("elsewhere"), []],
    [inside("searched"), ["ann", "ben", "cal", "dan", "bot"]],
  ])("finds by %j", async (query, expected) => {
    expect(await found(query)).toEqual(expected);
  });

  describe("and, or, not", () => {
    const is = (firstName: string) => ({ firstNameQuery: { firstName } });
    const machine = { typeQuery: { type: "TYPE_MACHINE" } };

    test.each<[query: JsonObject, expected: string[]]>([
      [{ orQuery: { queries: [is("Ann"), is("annA"), machine] } }, ["ann", "cal", "bot"]],
      [{ andQuery: { queries: [is("Ann"), machine] } }, []],
      [{ andQuery: { queries: [is("Ann"), { notQuery: { query: machine } }] } }, ["ann"]],
      // Who has no such name is not one who has it.
      [{ notQuery: { query: is("Ann") } }, ["ben", "cal", "dan", "bot"]],
      [{ notQuery: { query: { orQuery: { queries: [is("Ann"), machine] } } } }, ["ben", "cal", "dan"]],
      [{ notQuery: { query: { notQuery: { query: is("Ann") } } } }, ["ann"]],
      [
        { notQuery: { query: { phoneQuery: { number: "+4", method: "TEXT_QUERY_METHOD_STARTS_WITH" } } } },
        ["ben", "dan", "bot"],
      ],
      [
        {
          notQuery: {
            query: {
              andQuery: { queries: [{ notQuery: { query: is("Ann") } }, { notQuery: { query: machine } }] },
            },
          },
        },
        ["ann", "bot"],
      ],
    ])("%j", async (query, expected) => {
      expect(await found(query)).toEqual(expected);
    });

    const wraps: [by: string, wrap: (query: JsonObject) => JsonObject][] = [
      ["and", (query) => ({ andQuery: { queries: [query] } })],
      ["or", (query) => ({ orQuery: { queries: [query] } })],
      ["not", (query) => ({ notQuery: { query } })],
    ];

    test.each(wraps)("%s is nested twenty levels deep and no deeper", async (by, wrap) => {
      const nested = (levels: number): JsonObject => (levels === 0 ? is("Ann") : wrap(nested(levels - 1)));
      expect(await found(nested(20))).toEqual(["ann"]);
      expect(await found(nested(19))).toEqual(by === "not" ? ["ben", "cal", "dan", "bot"] : ["ann"]);
      expect(await refusal(found(nested(21)))).toEqual(
        refused(Code.InvalidArgument, "queries may be nested at most 20 levels deep", "USER-zsQ97"),
      );
    });

    test("a list takes a thousand conditions and no more", async () => {
      const many = (count: number) => ({ orQuery: { queries: Array(count).fill(is("Ann")) } });
      // With the or itself and the organization.
      expect(await found(many(998))).toEqual(["ann"]);
      expect(await refusal(found(many(999)))).toEqual(
        refused(Code.InvalidArgument, "a list takes at most 1000 conditions", "GATE-Qu3ry"),
      );
    });

    test.each<JsonObject>([{ orQuery: {} }, { andQuery: {} }, { notQuery: {} }])(
      "%j asks nothing and is refused",
      async (query) => {
        expect(await refusal(found(query))).toEqual(
          refused(Code.InvalidArgument, "List.Query.Invalid", "GATE-Us3rq"),
        );
      },
    );
  });

  describe("names the field", () => {
    const first = "invalid ListUsersRequest.Queries[0]: embedded message failed validation | caused by: ";
    const embedded = (name: string) =>
      `${first}invalid SearchQuery.${name}: embedded message failed validation | caused by: `;
    const [length, defined] = [
      "value length must be between 1 and 200 runes, inclusive",
      "value must be one of the defined enum values",
    ];

    test.each<[query: JsonObject, message: string]>([
      [{}, `${first}invalid SearchQuery.Query: value is required`],
      [{ userNameQuery: {} }, `${embedded("UserNameQuery")}invalid UserNameQuery.UserName: ${length}`],
      [
        { loginNameQuery: { loginName: "x".repeat(201) } },
        `${embedded("LoginNameQuery")}invalid LoginNameQuery.LoginName: ${length}`,
      ],
      [
        { emailQuery: { emailAddress: "x".repeat(201) } },
        `${embedded("EmailQuery")}invalid EmailQuery.EmailAddress: value length must be at most 200 runes`,
      ],
      [
        { phoneQuery: { number: "1".repeat(21) } },
        `${embedded("PhoneQuery")}invalid PhoneQuery.Number: value length must be at most 20 runes`,
      ],
      [
        { firstNameQuery: { firstName: "a", method: 99 } },
        `${embedded("FirstNameQuery")}invalid FirstNameQuery.Method: ${defined}`,
      ],
      [{ stateQuery: { state: 99 } }, `${embedded("StateQuery")}invalid StateQuery.State: ${defined}`],
      [{ typeQuery: { type: 99 } }, `${embedded("TypeQuery")}invalid TypeQuery.Type: ${defined}`],
      [
        { organizationIdQuery: {} },
        `${embedded("OrganizationIdQuery")}invalid OrganizationIdQuery.OrganizationId: ${length}`,
      ],
    ])("of %j", async (query, message) => {
      expect(await refusal(ask("ListUsers", { queries: [query] }))).toEqual({
        code: Code.InvalidArgument,
        message,
      });
    });
  });

  describe("in an order", () => {
    /** Every column has values that tie; letters only, so that every collation agrees. */
    type Row = { id: string; columns: Record<string, string> };
    const names = ["Same", "same", "Alpha", "beta", "Gamma", "alpha"];
    const rows: Row[] = [
      ...names.map((name, index) => ({
        id: `s${(index * 5) % 7}`,
        columns: {
          USER_NAME: `user${String.fromCharCode(102 - index)}`,
          FIRST_NAME: name,
          LAST_NAME: names[(index + 2) % 6]!,
          NICK_NAME: index % 2 === 0 ? "" : names[5 - index]!,
          DISPLAY_NAME: names[(index + 3) % 6]!,
          EMAIL: `${names[index % 4]!}@sorted.example`,
          TYPE: "1",
        },
      })),
      ...["t1", "t0"].map((id) => ({
        id,
        columns: {
          USER_NAME: `Machine${id}`,
          FIRST_NAME: "",
          LAST_NAME: "",
          NICK_NAME: "",
          DISPLAY_NAME: "",
          EMAIL: "",
          TYPE: "2",
        },
      })),
    ];
    const states: Record<string, string> = { s0: "4", s5: "2", t1: "4" };
    for (const row of rows) row.columns.STATE = states[row.id] ?? "1";

    beforeAll(async () => {
      for (const { id, columns } of rows) {
        const { USER_NAME, FIRST_NAME, LAST_NAME, NICK_NAME, DISPLAY_NAME, EMAIL, TYPE } = columns;
        await ask("CreateUser", {
          organizationId: "sorted",
          userId: id,
          username: USER_NAME!,
          ...(TYPE === "2"
            ? { machine: { name: id } }
            : {
                human: {
                  profile: {
                    givenName: FIRST_NAME!,
                    familyName: LAST_NAME!,
                    nickName: NICK_NAME!,
                    displayName: DISPLAY_NAME!,
                  },
                  email: { email: EMAIL!, isVerified: true },
                },
              }),
        });
      }
      for (const [userId, state] of Object.entries(states)) {
        await ask(state === "4" ? "LockUser" : "DeactivateUser", { userId });
      }
    });

    const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
    const sorted = async (column: string, asc: boolean, page: JsonObject = {}) =>
      list({
        query: { asc, ...page },
        sortingColumn: `USER_FIELD_NAME_${column}`,
        queries: [inside("sorted")],
      });

    test.each([
      "USER_NAME",
      "FIRST_NAME",
      "LAST_NAME",
      "NICK_NAME",
      "DISPLAY_NAME",
      "EMAIL",
      "STATE",
      "TYPE",
    ])("by %s, whatever the case, and then by id; descending is the reverse", async (column) => {
      const expected = [...rows]
        .sort(
          (a, b) =>
            compare(a.columns[column]!.toLowerCase(), b.columns[column]!.toLowerCase()) ||
            compare(a.id, b.id),
        )
        .map(({ id }) => id);
      expect((await sorted(column, true)).ids).toEqual(expected);
      expect((await sorted(column, false)).ids).toEqual(expected.reverse());
    });

    test.each(["CREATION_DATE", "UNSPECIFIED"])("by %s: as they were created", async (column) => {
      const expected = rows.map(({ id }) => id);
      expect((await sorted(column, true)).ids).toEqual(expected);
      expect((await sorted(column, false)).ids).toEqual(expected.reverse());
    });

    test("with the state and type filters that the order shows", async () => {
      const by = async (query: JsonObject) =>
        (await list({ query: { asc: true }, queries: [inside("sorted"), query] })).ids;
      expect(await by({ stateQuery: { state: "USER_STATE_LOCKED" } })).toEqual(["s0", "t1"]);
      expect(await by({ stateQuery: { state: "USER_STATE_INACTIVE" } })).toEqual(["s5"]);
    });

    test.each(["TYPE", "STATE", "FIRST_NAME"])(
      "by %s, page by page: nobody twice, nobody left out, the same total everywhere",
      async (column) => {
        const whole = await sorted(column, true);
        expect(whole.total).toBe(rows.length);
        const pages = await Promise.all(
          [0, 3, 6, 9].map((offset) => sorted(column, true, { offset: String(offset), limit: 3 })),
        );
        expect(pages.map(({ ids }) => ids.length)).toEqual([3, 3, 2, 0]);
        expect(pages.flatMap(({ ids }) => ids)).toEqual(whole.ids);
        expect(pages.map(({ total }) => total)).toEqual(Array(4).fill(rows.length));
      },
    );

    test("with an offset past every end", async () => {
      const page = await sorted("TYPE", true, { offset: "18446744073709551615" });
      expect(page).toMatchObject({ ids: [], total: rows.length });
    });
  });

  describe("of a crowd", () => {
    beforeAll(async () => {
      for (let start = 0; start < 101; start += 20) {
        await Promise.all(
          Array.from({ length: Math.min(20, 101 - start) }, (_, index) =>
            ask("CreateUser", {
              organizationId: "crowd",
              userId: `crowd-${start + index}`,
              machine: { name: "One" },
            }),
          ),
        );
      }
    });

    test("shows a hundred where no limit is named, and counts all", async () => {
      const page = await list({ queries: [inside("crowd")] });
      expect(page.ids).toHaveLength(100);
      expect(page.total).toBe(101);
    });

    test("shows up to a thousand, and refuses more", async () => {
      expect((await list({ query: { limit: 1_000 }, queries: [inside("crowd")] })).ids).toHaveLength(101);
      expect(await refusal(ask("ListUsers", { query: { limit: 1_001 } }))).toEqual(
        refused(Code.InvalidArgument, "the limit is above 1000", "GATE-L1m1t"),
      );
    });
  });

  describe("shows and counts only who may be read", () => {
    const all = { query: { limit: 1_000 } };
    const mixed = { queries: [{ orQuery: { queries: [inside("searched"), inside("sorted")] } }] };
    const as = (who: { token: string }) => asking(house, who);

    beforeAll(async () => {
      await ask("CreateAdministrator", {
        userId: cast.permissionEditor.id,
        resource: { organizationId: "searched" },
        roles: ["ORG_OWNER_VIEWER"],
      });
      await ask("CreateAdministrator", {
        userId: cast.nobody.id,
        resource: { organizationId: "searched" },
        roles: ["ORG_USER_SELF_MANAGER"],
      });
    });

    test("everyone, to who administers the instance", async () => {
      const whole = await list(all);
      expect(whole.total).toBe(whole.ids.length);
      for (const who of [cast.viewer, cast.userManager, cast.loginClient]) {
        expect(await list(all, as(who))).toEqual(whole);
      }
    });

    test("an organization and oneself, to its administrator who lives elsewhere", async () => {
      const seen = await list(all, as(cast.otherOrgOwner));
      expect([...seen.ids].sort()).toEqual([cast.otherOrgOwner.id, cast.otto.id].sort());
      expect(seen.total).toBe(2);
    });

    test("two organizations, to the administrator of both", async () => {
      const seen = await list({ ...all, ...mixed }, as(cast.permissionEditor));
      expect([...seen.ids].sort()).toEqual(["ann", "ben", "bot", "cal", "dan"]);
      expect(seen.total).toBe(5);
      const { ids } = await list(all, as(cast.permissionEditor));
      expect(ids).toEqual(expect.arrayContaining(["ann", cast.mia.id, cast.permissionEditor.id]));
      expect(ids).not.toContain(cast.otto.id);
    });

    test("nobody but oneself, to everybody else, whatever the query", async () => {
      const self = { ids: [cast.nobody.id], total: 1 };
      const none = { ids: [], total: 0 };
      const nobody = as(cast.nobody);
      expect(await list(all, nobody)).toEqual(self);
      expect(await list(mixed, nobody)).toEqual(none);
      const oneself = { inUserIdsQuery: { userIds: [cast.nobody.id] } };
      const anyone = { orQuery: { queries: [oneself, { notQuery: { query: oneself } }] } };
      expect(await list({ queries: [anyone] }, nobody)).toEqual(self);
      expect(await list({ queries: [{ notQuery: { query: oneself } }] }, nobody)).toEqual(none);
      expect(await list({ query: { offset: "1" } }, nobody)).toEqual({ ids: [], total: 1 });
    });

    test("oneself, to a person with a session token", async () => {
      const { sessionToken } = await house
        .as(cast.loginClient)
        .createSession({ checks: signIn(cast.mia, PASSWORD) });
      expect(await list(all, as({ token: sessionToken }))).toEqual({ ids: [cast.mia.id], total: 1 });
    });

    test("whom they may read one by one, and no others", async () => {
      const { ids: everybody } = await list(all);
      const some = everybody.filter((id) => !String(id).startsWith("crowd-"));
      for (const who of [cast.otherOrgOwner, cast.permissionEditor, cast.nobody]) {
        const { ids } = await list(all, as(who));
        const readable = await Promise.all(
          some.map((userId) =>
            as(who)("GetUserByID", { userId: userId! })
              .then(() => true)
              .catch(() => false),
          ),
        );
        expect([...ids].sort()).toEqual(some.filter((_, index) => readable[index]).sort());
      }
    });
  });
});
