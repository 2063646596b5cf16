import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Refusal, refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { type Cast, type House, PASSWORD, signIn, startHouse } from "../../support/fixtures.ts";
import { protocolsOn } from "../protocols.ts";
import {
  asking,
  type Call,
  code,
  details,
  idsOf,
  permissionDenied,
  person,
  refusal,
  time,
  uuid,
} from "./wire.ts";

const exists = refused(Code.AlreadyExists, "organization already exists", "V3-DKcYh");
const invalid = (text: string, id: string) => refused(Code.InvalidArgument, text, id);
const userNotFound = refused(Code.NotFound, "user could not be found", "QUERY-Dfbg2");

describe.each(engines)("organizations on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let ask: Call;
  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
    ask = asking(house, cast.owner);
  });
  afterAll(() => house.close());

  const add = (name: string, request: JsonObject = {}, call: Call = ask) =>
    call("AddOrganization", { name, ...request });
  const list = async (request: JsonObject, call: Call = ask) => {
    const { details: about, result } = (await call("ListOrganizations", request)) as {
      details: JsonObject;
      result?: JsonObject[];
    };
    expect(about.timestamp).toEqual(time);
    return {
      names: (result ?? []).map(({ name }) => name),
      total: Number(about.totalResult ?? 0),
    };
  };
  const found = async (...queries: JsonObject[]) =>
    (await list({ query: { asc: true }, sortingColumn: "ORGANIZATION_FIELD_NAME_NAME", queries })).names;
  const read = async (id: string) =>
    ((await ask("ListOrganizations", { queries: [{ idQuery: { id } }] })).result as JsonObject[])[0]!;
  /** Roles by user. */
  const administrators = async (organizationId: string) =>
    Object.fromEntries(
      (
        ((await ask("ListAdministrators", { filters: [{ resource: { organizationId } }] })).administrators ??
          []) as { user: { id: string }; roles: string[] }[]
      ).map(({ user, roles }) => [user.id, roles]),
    );

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    test("are added, and listed with everything there is to know", async () => {
      const call = asking(house, cast.owner, protocol);
      const name = `Plain ${protocol}`;
      const { organizationId, ...rest } = await add(` ${name} `, {}, call);
      expect(organizationId).toEqual(uuid);
      expect(rest).toEqual({ details: details(1, organizationId as string) });
      expect(
        await call("ListOrganizations", {
          sortingColumn: "ORGANIZATION_FIELD_NAME_NAME",
          queries: [{ idQuery: { id: organizationId! } }],
        }),
      ).toEqual({
        details: { totalResult: "1", timestamp: time },
        sortingColumn: "ORGANIZATION_FIELD_NAME_NAME",
        result: [
          {
            id: organizationId,
            details: rest.details,
            state: "ORGANIZATION_STATE_ACTIVE",
            name,
            primaryDomain: `plain-${protocol.toLowerCase()}.localhost`,
          },
        ],
      });
    });

    test("come with their first administrators; the new people among them with their codes", async () => {
      const id = `staffed-${protocol}`.toLowerCase();
      const [ada, bea] = [`ada-${id}`, `bea-${id}`];
      const answer = await add(
        id,
        {
          organizationId: id,
          admins: [
            { userId: cast.nobody.id },
            {
              human: person(ada, {
                userId: ada,
                email: { email: `${ada}@example.com`, returnCode: {} },
                phone: { phone: "+41791234567", returnCode: {} },
              }),
              roles: ["ORG_USER_MANAGER", "ORG_OWNER_VIEWER", "ORG_USER_MANAGER"],
            },
            { human: person(bea, { userId: bea }) },
          ],
        },
        asking(house, cast.owner, protocol),
      );
      expect(answer).toEqual({
        details: details(4, id),
        organizationId: id,
        createdAdmins: [{ userId: ada, emailCode: code, phoneCode: code }, { userId: bea }],
      });
      expect(await administrators(id)).toEqual({
        [cast.nobody.id]: ["ORG_OWNER"],
        [ada]: ["ORG_USER_MANAGER", "ORG_OWNER_VIEWER"],
        [bea]: ["ORG_OWNER"],
      });
      expect((await ask("GetUserByID", { userId: ada })).details).toMatchObject({ resourceOwner: id });
    });

    test("have one name each", async () => {
      const call = asking(house, cast.owner, protocol);
      await add(`Taken ${protocol}`);
      expect(await refusal(add(`TAKEN ${protocol}`, {}, call))).toEqual(exists);
    });
  });

  test("are run by their new administrators from then on", async () => {
    const human = person("boss", { userId: "boss", password: { password: PASSWORD } });
    await add("Run", { organizationId: "run", admins: [{ human }] });
    const { sessionToken } = await house
      .as(cast.loginClient)
      .createSession({ checks: signIn({ id: "boss" }) });
    const boss = asking(house, { token: sessionToken });
    const made = await boss("CreateUser", {
      organizationId: "run",
      userId: "hand",
      machine: { name: "Hand" },
    });
    expect(made.id).toBe("hand");
    // The organization the call is about, where none is named, is the caller's.
    const added = await boss("AddHumanUser", person("clerk", { userId: "clerk" }));
    expect((added.details as JsonObject).resourceOwner).toBe("run");
    expect(idsOf((await boss("ListUsers", { query: { asc: true } })).result, "userId")).toEqual([
      "boss",
      "hand",
      "clerk",
    ]);
    expect(
      await refusal(boss("CreateUser", { organizationId: cast.home.id, machine: { name: "x" } })),
    ).toEqual(permissionDenied);
  });

  test("may bring their id, under its old name too", async () => {
    expect((await add("Own id", { organizationId: "own-id" })).organizationId).toBe("own-id");
    expect((await add("Older id", { orgId: "older-id" })).organizationId).toBe("older-id");
    expect((await add("Both ids", { orgId: "both-old", organizationId: "both-new" })).organizationId).toBe(
      "both-new",
    );
  });

  test("have domains of their own although their names look alike", async () => {
    const ids = [await add("Same & Co"), await add("Same, Co!")].map(
      ({ organizationId }) => organizationId as string,
    );
    expect((await read(ids[0]!)).primaryDomain).toBe("same-co.localhost");
    expect((await read(ids[1]!)).primaryDomain).toMatch(/^same-co-[0-9a-f-]{36}\.localhost$/);
  });

  describe("are refused, and nothing is stored,", () => {
    const human = (changes: JsonObject = {}) => ({
      human: person("new-boss", { userId: "new-boss", ...changes }),
    });

    test.each<[what: string, name: string, request: (cast: Cast) => JsonObject, expected: Refusal]>([
      ["with the name of another", "ELSEWHERE", () => ({ admins: [human()] }), exists],
      ["with the name of another among blanks", " elsewhere ", () => ({ admins: [human()] }), exists],
      [
        "with the id of another",
        "X",
        ({ elsewhere }) => ({ organizationId: elsewhere.id, admins: [human()] }),
        exists,
      ],
      [
        "with an id that stands for the instance",
        "X",
        () => ({ organizationId: "instance" }),
        invalid("this organization id is reserved", "GATE-0rgId"),
      ],
      ["without a name", "  ", () => ({ admins: [human()] }), invalid("name is empty", "GATE-0rgNa")],
      [
        "with a role of the instance",
        "X",
        () => ({ admins: [{ ...human(), roles: ["IAM_OWNER"] }] }),
        invalid("role does not exist", "Org-4N8es"),
      ],
      [
        "with a role nobody knows",
        "X",
        ({ mia }) => ({ admins: [human(), { userId: mia.id, roles: ["ORG_OWNER", "ORG_KING"] }] }),
        invalid("role does not exist", "Org-4N8es"),
      ],
      [
        "with a user nobody knows",
        "X",
        () => ({ admins: [human(), { userId: "nobody-of-that-id" }] }),
        refused(Code.FailedPrecondition, "user could not be found", "ORG-GoXOn"),
      ],
      [
        "with an administrator who is nobody",
        "X",
        () => ({ admins: [human(), { roles: ["ORG_OWNER"] }] }),
        invalid("user or roles are missing", "ORG-4Mlfs"),
      ],
      [
        "with a user twice",
        "X",
        ({ mia }) => ({ admins: [human(), { userId: mia.id }, { userId: mia.id }] }),
        refused(Code.AlreadyExists, "user is an administrator already", "ORG-poWwe"),
      ],
      [
        "with a new person who exists",
        "X",
        ({ mia }) => ({ admins: [human(), human({ userId: mia.id })] }),
        refused(Code.FailedPrecondition, "user already exists", "COMMAND-7yiox1isql"),
      ],
      [
        "with a user name in use",
        "X",
        ({ mia }) => ({ admins: [human({ username: mia.loginName.toUpperCase() })] }),
        refused(Code.AlreadyExists, "user already exists", "V3-DKcYh"),
      ],
      [
        "with a password against the rules",
        "X",
        () => ({ admins: [human({ password: { password: "weak" } })] }),
        invalid("password is too short", "DOMAIN-HuJf6"),
      ],
      [
        "with the secret of an authenticator app that is none",
        "X",
        () => ({ admins: [human({ totpSecret: "JBSWY3DP" })] }),
        invalid("TOTP secret is no base32 of at least 10 bytes", "GATE-T0tpS"),
      ],
    ])("%s", async (_, name, request, expected) => {
      const before = await list({});
      expect(await refusal(add(name, request(cast)))).toEqual(expected);
      expect(await list({})).toEqual(before);
      expect(await refusal(ask("GetUserByID", { userId: "new-boss" }))).toEqual(userNotFound);
    });

    test("if two of one name are added at once: one is", async () => {
      const calls = [add("Race"), add("race")];
      const outcomes = await Promise.all(
        calls.map((call) => call.then(() => "added" as const).catch(() => refusal(call))),
      );
      expect(outcomes.filter((each) => each === "added")).toHaveLength(1);
      expect(outcomes).toContainEqual(exists);
    });

    test("by whoever holds no role on the instance", async () => {
      for (const who of [
        cast.orgOwner,
        cast.otherOrgOwner,
        cast.nobody,
        cast.viewer,
        cast.userManager,
        cast.loginClient,
      ]) {
        expect(await refusal(add("X", {}, asking(house, who)))).toEqual(permissionDenied);
        expect(await refusal(add("X", { organizationId: cast.home.id }, asking(house, who)))).toEqual(
          permissionDenied,
        );
      }
    });
  });

  const [length, long] = ["value length must be between 1 and 200 runes, inclusive", "x".repeat(201)];
  test.each<[method: "AddOrganization" | "ListOrganizations", request: JsonObject, message: string]>([
    ["AddOrganization", {}, `invalid AddOrganizationRequest.Name: ${length}`],
    ["AddOrganization", { name: long }, `invalid AddOrganizationRequest.Name: ${length}`],
    [
      "AddOrganization",
      { name: "X", organizationId: "" },
      `invalid AddOrganizationRequest.OrganizationId: ${length}`,
    ],
    ["AddOrganization", { name: "X", orgId: long }, `invalid AddOrganizationRequest.OrgId: ${length}`],
    [
      "AddOrganization",
      { name: "X", admins: [{ human: person("never", { userId: long }) }] },
      "invalid AddOrganizationRequest.Admins[0]: embedded message failed validation | caused by: " +
        "invalid AddOrganizationRequest_Admin.Human: embedded message failed validation | caused by: " +
        `invalid AddHumanUserRequest.UserId: ${length}`,
    ],
    [
      "ListOrganizations",
      { queries: [{}] },
      "invalid ListOrganizationsRequest.Queries[0]: embedded message failed validation | caused by: " +
        "invalid SearchQuery.Query: value is required",
    ],
    [
      "ListOrganizations",
      { queries: [{ nameQuery: { name: long } }] },
      "invalid ListOrganizationsRequest.Queries[0]: embedded message failed validation | caused by: " +
        "invalid SearchQuery.NameQuery: embedded message failed validation | caused by: " +
        `invalid OrganizationNameQuery.Name: ${length}`,
    ],
    [
      "ListOrganizations",
      { queries: [{ stateQuery: { state: 99 } }] },
      "invalid ListOrganizationsRequest.Queries[0]: embedded message failed validation | caused by: " +
        "invalid SearchQuery.StateQuery: embedded message failed validation | caused by: " +
        "invalid OrganizationStateQuery.State: value must be one of the defined enum values",
    ],
  ])("%s %j names the field", async (method, request, message) => {
    expect(await refusal(ask(method, request))).toEqual({ code: Code.InvalidArgument, message });
  });

  describe("are listed", () => {
    const listed = ["List 100%", "list 1000", "List a_b", "LIST axb"];
    const ours = { nameQuery: { name: "list ", method: "TEXT_QUERY_METHOD_STARTS_WITH_IGNORE_CASE" } };
    beforeAll(async () => {
      // Not in the order of their names.
      for (const name of [2, 0, 3, 1].map((index) => listed[index]!))
        await add(name, { organizationId: name.replaceAll(" ", "-") });
    });
    const byName = (name: string, method: string) =>
      found(ours, { nameQuery: { name, method: `TEXT_QUERY_METHOD_${method}` } });
    const byDomain = (domain: string, method: string) =>
      found({ domainQuery: { domain, method: `TEXT_QUERY_METHOD_${method}` } });

    test("by name, in which no character means anything but itself", async () => {
      expect(await found(ours)).toEqual(listed);
      expect(await byName("100%", "ENDS_WITH")).toEqual(["List 100%"]);
      expect(await byName("100%", "CONTAINS")).toEqual(["List 100%"]);
      expect(await byName("a_b", "CONTAINS")).toEqual(["List a_b"]);
      expect(await byName("A_B", "CONTAINS")).toEqual([]);
      expect(await byName("A_B", "ENDS_WITH_IGNORE_CASE")).toEqual(["List a_b"]);
      expect(await byName("list 1000", "EQUALS")).toEqual(["list 1000"]);
      expect(await byName("LIST 1000", "EQUALS")).toEqual([]);
      expect(await byName("LIST 1000", "EQUALS_IGNORE_CASE")).toEqual(["list 1000"]);
      expect(await byName("List", "STARTS_WITH")).toEqual(["List 100%", "List a_b"]);
    });

    test("by domain, id, state, and as the default one", async () => {
      expect(await byDomain("elsewhere.localhost", "EQUALS")).toEqual(["elsewhere"]);
      expect(await byDomain("ELSEWHERE.", "STARTS_WITH_IGNORE_CASE")).toEqual(["elsewhere"]);
      expect(await byDomain("ELSEWHERE.", "STARTS_WITH")).toEqual([]);
      expect(await found({ idQuery: { id: cast.strict.id } })).toEqual(["strict"]);
      expect(await found({ idQuery: { id: "nowhere" } })).toEqual([]);
      expect(await found({ defaultQuery: {} })).toEqual([(await read(cast.home.id)).name]);
      expect(await found(ours, { stateQuery: { state: "ORGANIZATION_STATE_ACTIVE" } })).toEqual(listed);
      for (const state of [
        "ORGANIZATION_STATE_INACTIVE",
        "ORGANIZATION_STATE_REMOVED",
        "ORGANIZATION_STATE_UNSPECIFIED",
      ]) {
        expect(await found(ours, { stateQuery: { state } })).toEqual([]);
      }
    });

    test("in the order of their names or of their coming, page by page", async () => {
      const page = (query: JsonObject, sortingColumn = "ORGANIZATION_FIELD_NAME_NAME") =>
        list({ query, sortingColumn, queries: [ours] });
      expect(await page({ asc: true })).toEqual({ names: listed, total: 4 });
      expect(await page({})).toEqual({ names: [...listed].reverse(), total: 4 });
      const made = [2, 0, 3, 1].map((index) => listed[index]);
      expect((await page({ asc: true }, "ORGANIZATION_FIELD_NAME_UNSPECIFIED")).names).toEqual(made);
      expect(await page({ asc: true, limit: 3 })).toEqual({ names: listed.slice(0, 3), total: 4 });
      expect(await page({ asc: true, limit: 3, offset: "3" })).toEqual({ names: listed.slice(3), total: 4 });
      expect(await page({ asc: true, offset: "4" })).toEqual({ names: [], total: 4 });
      expect(await refusal(page({ limit: 1_001 }))).toEqual(invalid("the limit is above 1000", "GATE-L1m1t"));
    });

    test("to those who may read them, and counted no further", async () => {
      const all = { query: { limit: 1_000 } };
      const whole = await list(all);
      expect(whole.total).toBe(whole.names.length);
      expect(await list(all, asking(house, cast.viewer))).toEqual(whole);
      expect(await list(all, asking(house, cast.otherOrgOwner))).toEqual({ names: ["elsewhere"], total: 1 });
      expect(await list({ queries: [ours] }, asking(house, cast.otherOrgOwner))).toEqual({
        names: [],
        total: 0,
      });
      expect(await list(all, asking(house, cast.permissionEditor))).toMatchObject({ total: 1 });
      expect(await list({ queries: [{ defaultQuery: {} }] }, asking(house, cast.otherOrgOwner))).toEqual({
        names: [],
        total: 0,
      });
      const { sessionToken } = await house.as(cast.loginClient).createSession({ checks: signIn(cast.mia) });
      expect(await list(all, asking(house, { token: sessionToken }))).toEqual({ names: [], total: 0 });
    });
  });
});
