import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Refusal, refusalOf, refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { type Cast, type House, signIn, startHouse } from "../../support/fixtures.ts";
import { asking, type Call, permissionDenied, person, refusal, time } from "./wire.ts";

const invalid = (text: string, id: string) => refused(Code.InvalidArgument, text, id);
const failed = (text: string, id: string) => refused(Code.FailedPrecondition, text, id);
const taken = (id: string) => refused(Code.AlreadyExists, "user is an administrator already", id);
const missing = (id: string) => refused(Code.NotFound, "administrator could not be found", id);

type Row = { user: { id: string }; roles: string[]; creationDate: string; changeDate: string } & JsonObject;

describe.each(engines)("administrators on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let ask: Call;
  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
    ask = asking(house, cast.owner);
  });
  afterAll(() => house.close());

  const instance = { instance: true };
  const elsewhere = () => ({ organizationId: cast.elsewhere.id });

  let users = 0;
  /** A service account at home, with a token. */
  const newBot = async () => {
    users += 1;
    const userId = `bot-${users}`;
    await ask("CreateUser", { organizationId: cast.home.id, userId, machine: { name: "Bot" } });
    const { token } = await ask("AddPersonalAccessToken", { userId, expirationDate: "2100-01-01T00:00:00Z" });
    return { id: userId, call: asking(house, { token: token as string }) };
  };
  const create = (userId: string, resource: JsonObject, roles: string[], call: Call = ask) =>
    call("CreateAdministrator", { userId, resource, roles });
  const update = (userId: string, resource: JsonObject, roles: string[], call: Call = ask) =>
    call("UpdateAdministrator", { userId, resource, roles });
  const remove = (userId: string, resource: JsonObject, call: Call = ask) =>
    call("DeleteAdministrator", { userId, resource });
  const rows = async (request: JsonObject, call: Call = ask) =>
    ((await call("ListAdministrators", request)).administrators ?? []) as Row[];
  const rowsOf = (userId: string) => rows({ filters: [{ inUserIdsFilter: { ids: [userId] } }] });

  // There is no REST form.
  describe.each(["Connect", "gRPC"] as const)("over %s", (protocol) => {
    test.each([
      ["the instance", () => instance, ["IAM_USER_MANAGER"], ["IAM_OWNER_VIEWER", "IAM_USER_MANAGER"]],
      ["an organization", elsewhere, ["ORG_OWNER"], ["ORG_USER_MANAGER"]],
    ] as const)("are made, changed and removed on %s", async (where, resourceOf, first, second) => {
      const call = asking(house, cast.owner, protocol);
      const { id } = await newBot();
      const resource = resourceOf();
      const made = await create(id, resource, [...first], call);
      expect(made).toEqual({ creationDate: time });
      const shown = {
        creationDate: made.creationDate!,
        user: { id, preferredLoginName: id, displayName: "Bot", organizationId: cast.home.id },
        ...(where === "the instance"
          ? instance
          : { organization: { id: cast.elsewhere.id, name: "elsewhere" } }),
      };
      const filters = [{ inUserIdsFilter: { ids: [id] } }];
      expect(await call("ListAdministrators", { filters })).toEqual({
        pagination: { totalResult: "1", appliedLimit: "100" },
        administrators: [{ ...shown, changeDate: made.creationDate, roles: first }],
      });

      const changed = await update(id, resource, [...second], call);
      expect(changed).toEqual({ changeDate: time });
      expect(await rowsOf(id)).toEqual([{ ...shown, changeDate: changed.changeDate, roles: second }]);

      expect(await remove(id, resource, call)).toEqual({ deletionDate: time });
      expect(await call("ListAdministrators", { filters })).toEqual({ pagination: { appliedLimit: "100" } });
    });

    test("refusals carry their id, and broken rules their field", async () => {
      const call = asking(house, cast.owner, protocol);
      expect(await refusal(create(cast.viewer.id, instance, ["IAM_OWNER"], call))).toEqual(
        taken("INSTA-pFDwe"),
      );
      expect(await refusal(create("", instance, ["IAM_OWNER"], call))).toEqual({
        code: Code.InvalidArgument,
        message:
          "invalid CreateAdministratorRequest.UserId: value length must be between 1 and 200 runes, inclusive",
      });
    });
  });

  test.each<[resource: () => JsonObject, roles: string[], user: string, expected: Refusal]>([
    [() => instance, [], "nobody", invalid("user or roles are missing", "INSTA-SDSfs")],
    [() => instance, ["ORG_OWNER"], "nobody", invalid("role does not exist", "INSTANCE-4m0fS")],
    [() => instance, ["IAM_OWNER", "IAM_KING"], "nobody", invalid("role does not exist", "INSTANCE-4m0fS")],
    [() => instance, ["IAM_OWNER"], "", failed("user could not be found", "INSTA-GSXOn")],
    [() => instance, ["IAM_OWNER"], "viewer", taken("INSTA-pFDwe")],
    [elsewhere, [], "nobody", invalid("user or roles are missing", "ORG-4Mlfs")],
    [elsewhere, ["IAM_OWNER"], "nobody", invalid("role does not exist", "Org-4N8es")],
    [elsewhere, ["ORG_OWNER"], "", failed("user could not be found", "ORG-GoXOn")],
    [elsewhere, ["ORG_OWNER"], "otherOrgOwner", taken("ORG-poWwe")],
    [
      () => ({ organizationId: "nowhere" }),
      ["ORG_OWNER"],
      "nobody",
      refused(Code.NotFound, "organization could not be found", "GATE-0rgNf"),
    ],
    [
      () => ({ organizationId: "instance" }),
      ["ORG_OWNER"],
      "nobody",
      refused(Code.NotFound, "organization could not be found", "GATE-0rgNf"),
    ],
    [
      () => ({ projectId: "p" }),
      ["PROJECT_OWNER"],
      "nobody",
      invalid("administrators exist on the instance and on organizations only", "ADMIN-IbPp47HDP5"),
    ],
    [
      () => ({ projectGrant: { projectId: "p", organizationId: "o" } }),
      ["PROJECT_GRANT_OWNER"],
      "nobody",
      invalid("administrators exist on the instance and on organizations only", "ADMIN-IbPp47HDP5"),
    ],
  ])("are not made on %o with %j: %o, %o", async (resource, roles, who, expected) => {
    const userId = who === "" ? "nobody-of-that-id" : cast[who as "nobody" | "viewer" | "otherOrgOwner"].id;
    const before = await rowsOf(userId);
    expect(await refusal(create(userId, resource(), roles))).toEqual(expected);
    expect(await rowsOf(userId)).toEqual(before);
  });

  test.each<[resource: () => JsonObject, roles: string[], expected: Refusal]>([
    [() => instance, [], invalid("user or roles are missing", "INSTA-SDSfs")],
    [() => instance, ["ORG_OWNER"], invalid("role does not exist", "INSTANCE-4m0fS")],
    [() => instance, ["IAM_OWNER"], missing("GATE-Adm1n")],
    [elsewhere, [], invalid("user or roles are missing", "ORG-4Mlfs")],
    [elsewhere, ["IAM_OWNER"], invalid("role does not exist", "Org-4N8es")],
    [elsewhere, ["ORG_OWNER"], missing("GATE-Adm0r")],
  ])("who are none are not changed: %o, %j", async (resource, roles, expected) => {
    expect(await refusal(update(cast.nobody.id, resource(), roles))).toEqual(expected);
    expect(await refusal(update("nobody-of-that-id", resource(), roles))).toEqual(expected);
    expect(await rowsOf(cast.nobody.id)).toEqual([]);
  });

  test("the same roles again, in any order, change nothing", async () => {
    const { id } = await newBot();
    await create(id, elsewhere(), ["ORG_OWNER_VIEWER", "ORG_USER_MANAGER"]);
    const [before] = await rowsOf(id);
    expect(await update(id, elsewhere(), ["ORG_USER_MANAGER", "ORG_OWNER_VIEWER"])).toEqual({
      changeDate: before!.changeDate,
    });
    expect(await rowsOf(id)).toEqual([before]);
  });

  test("taking away what is not there is no error, and says no date", async () => {
    const { id } = await newBot();
    for (const resource of [instance, elsewhere(), { organizationId: "nowhere" }]) {
      expect(await remove(id, resource)).toEqual({});
      expect(await remove("nobody-of-that-id", resource)).toEqual({});
    }
    await create(id, instance, ["IAM_OWNER_VIEWER"]);
    // The instance is no organization, whatever one calls it.
    expect(await remove(id, { organizationId: "instance" })).toEqual({});
    expect(await rowsOf(id)).toMatchObject([{ roles: ["IAM_OWNER_VIEWER"] }]);
  });

  test("have roles on the instance and on organizations, each for itself", async () => {
    const { id } = await newBot();
    await create(id, instance, ["IAM_OWNER_VIEWER"]);
    await create(id, elsewhere(), ["ORG_OWNER"]);
    await create(id, { organizationId: cast.home.id }, ["ORG_OWNER_VIEWER"]);
    await remove(id, elsewhere());
    expect((await rowsOf(id)).map(({ roles }) => roles).sort()).toEqual([
      ["IAM_OWNER_VIEWER"],
      ["ORG_OWNER_VIEWER"],
    ]);
  });

  test("made twice at once are made once", async () => {
    const { id } = await newBot();
    const calls = [create(id, elsewhere(), ["ORG_OWNER"]), create(id, elsewhere(), ["ORG_OWNER"])];
    const outcomes = await Promise.all(
      calls.map((call) => call.then(() => "made" as const).catch(() => refusal(call))),
    );
    expect(outcomes.filter((each) => each === "made")).toHaveLength(1);
    expect(outcomes).toContainEqual(taken("ORG-poWwe"));
  });

  describe("roles are in force from the very next call on", () => {
    const readMia = (call: Call) => call("GetUserByID", { userId: cast.mia.id });
    const lockBy = (call: Call, userId: string) => call("LockUser", { userId });

    test("given, changed and taken on the instance", async () => {
      const { id, call } = await newBot();
      const { id: other } = await newBot();
      expect(await refusal(readMia(call))).toEqual(permissionDenied);
      await create(id, instance, ["IAM_OWNER_VIEWER"]);
      expect((await readMia(call)).user).toMatchObject({ userId: cast.mia.id });
      expect(await refusal(lockBy(call, other))).toEqual(permissionDenied);
      await update(id, instance, ["IAM_USER_MANAGER"]);
      await lockBy(call, other);
      await update(id, instance, ["IAM_OWNER_VIEWER"]);
      expect(await refusal(call("UnlockUser", { userId: other }))).toEqual(permissionDenied);
      await remove(id, instance);
      expect(await refusal(readMia(call))).toEqual(permissionDenied);
    });

    test("given and taken on an organization, and in no other", async () => {
      const { id, call } = await newBot();
      await create(id, elsewhere(), ["ORG_OWNER_VIEWER"]);
      expect((await call("GetUserByID", { userId: cast.otto.id })).user).toMatchObject({
        userId: cast.otto.id,
      });
      expect(await refusal(readMia(call))).toEqual(permissionDenied);
      await remove(id, elsewhere());
      expect(await refusal(call("GetUserByID", { userId: cast.otto.id }))).toEqual(permissionDenied);
    });

    test("for who comes with a session token too", async () => {
      const { sessionToken } = await house.as(cast.loginClient).createSession({ checks: signIn(cast.noah) });
      const noah = asking(house, { token: sessionToken });
      expect(await refusal(readMia(noah))).toEqual(permissionDenied);
      await create(cast.noah.id, { organizationId: cast.home.id }, ["ORG_OWNER_VIEWER"]);
      expect((await readMia(noah)).user).toMatchObject({ userId: cast.mia.id });
      await remove(cast.noah.id, { organizationId: cast.home.id });
      expect(await refusal(readMia(noah))).toEqual(permissionDenied);
    });

    test("for sessions as for users", async () => {
      const { token, id } = cast.leaver;
      await house.as({ token }).createSession({});
      await remove(id, instance);
      expect(await refusalOf(house.as({ token }).createSession({}))).toEqual(permissionDenied);
      await create(id, instance, ["IAM_LOGIN_CLIENT"]);
      await house.as({ token }).createSession({});
    });

    test("also when one takes them from oneself", async () => {
      const { id, call } = await newBot();
      await create(id, instance, ["IAM_OWNER"]);
      await remove(id, instance, call);
      expect(await refusal(create(id, instance, ["IAM_OWNER"], call))).toEqual(permissionDenied);
    });
  });

  test("who are removed as users have no roles left, also if their id comes back", async () => {
    const { id } = await newBot();
    await create(id, instance, ["IAM_OWNER"]);
    await create(id, elsewhere(), ["ORG_OWNER"]);
    expect(await rowsOf(id)).toHaveLength(2);
    await ask("DeleteUser", { userId: id });
    expect(await rowsOf(id)).toEqual([]);
    const stored = await house.operate(({ db }) =>
      db.selectFrom("memberships").selectAll().where("userId", "=", id).execute(),
    );
    expect(stored).toEqual([]);
    expect(await refusal(create(id, instance, ["IAM_OWNER"]))).toEqual(
      failed("user could not be found", "INSTA-GSXOn"),
    );

    await ask("CreateUser", { organizationId: cast.home.id, userId: id, machine: { name: "Bot" } });
    expect(await rowsOf(id)).toEqual([]);
    const { token } = await ask("AddPersonalAccessToken", {
      userId: id,
      expirationDate: "2100-01-01T00:00:00Z",
    });
    const again = asking(house, { token: token as string });
    expect(await refusal(again("GetUserByID", { userId: cast.mia.id }))).toEqual(permissionDenied);
    await create(id, instance, ["IAM_OWNER"]);
  });

  describe("are made by", () => {
    test("those who hold the roles of the instance, there", async () => {
      const { id } = await newBot();
      for (const who of [cast.orgOwner, cast.viewer, cast.userManager, cast.otherOrgOwner, cast.nobody]) {
        const call = asking(house, who);
        expect(await refusal(create(id, instance, ["IAM_OWNER"], call))).toEqual(permissionDenied);
        expect(await refusal(update(cast.leaver.id, instance, ["IAM_OWNER"], call))).toEqual(
          permissionDenied,
        );
        expect(await refusal(remove(cast.leaver.id, instance, call))).toEqual(permissionDenied);
        // Nothing to take away, and not to be told so.
        expect(await refusal(remove(id, instance, call))).toEqual(permissionDenied);
      }
      expect(await rowsOf(id)).toEqual([]);
      await create(id, instance, ["IAM_OWNER_VIEWER"], asking(house, cast.loginClient));
      expect(await rowsOf(id)).toHaveLength(1);
    });

    test("an organization's owner, there and nowhere else", async () => {
      const { id } = await newBot();
      const call = asking(house, cast.orgOwner);
      const home = { organizationId: cast.home.id };
      await create(id, home, ["ORG_OWNER_VIEWER"], call);
      await update(id, home, ["ORG_OWNER"], call);
      await remove(id, home, call);
      expect(await refusal(create(id, elsewhere(), ["ORG_OWNER"], call))).toEqual(permissionDenied);
      expect(await refusal(update(cast.otherOrgOwner.id, elsewhere(), ["ORG_OWNER"], call))).toEqual(
        permissionDenied,
      );
      expect(await refusal(remove(cast.otherOrgOwner.id, elsewhere(), call))).toEqual(permissionDenied);
      expect(await refusal(remove(id, { organizationId: "nowhere" }, call))).toEqual(permissionDenied);
      expect(await rowsOf(id)).toEqual([]);
    });
  });

  const embedded = (steps: string) =>
    steps.replaceAll(" > ", ": embedded message failed validation | caused by: invalid ");
  const length = "value length must be between 1 and 200 runes, inclusive";
  test.each<
    [
      method: "CreateAdministrator" | "UpdateAdministrator" | "DeleteAdministrator" | "ListAdministrators",
      request: JsonObject,
      message: string,
    ]
  >([
    [
      "CreateAdministrator",
      { userId: "x".repeat(201), resource: instance },
      `invalid CreateAdministratorRequest.UserId: ${length}`,
    ],
    [
      "CreateAdministrator",
      { userId: "u", resource: {} },
      embedded("invalid CreateAdministratorRequest.Resource > ResourceType.Resource: value is required"),
    ],
    [
      "CreateAdministrator",
      { userId: "u", resource: { instance: false } },
      embedded("invalid CreateAdministratorRequest.Resource > ResourceType.Instance: value must equal true"),
    ],
    [
      "CreateAdministrator",
      { userId: "u", resource: { projectGrant: { projectId: "p" } } },
      embedded(
        `invalid CreateAdministratorRequest.Resource > ResourceType.ProjectGrant > ResourceType_ProjectGrant.OrganizationId: ${length}`,
      ),
    ],
    [
      "CreateAdministrator",
      { userId: "u", resource: instance, roles: ["IAM_OWNER", ""] },
      `invalid CreateAdministratorRequest.Roles[1]: ${length}`,
    ],
    [
      "CreateAdministrator",
      { userId: "u", resource: instance, roles: ["IAM_OWNER", "IAM_OWNER"] },
      "invalid CreateAdministratorRequest.Roles: repeated value must contain unique items",
    ],
    ["UpdateAdministrator", { resource: instance }, `invalid UpdateAdministratorRequest.UserId: ${length}`],
    [
      "DeleteAdministrator",
      { userId: "u", resource: {} },
      embedded("invalid DeleteAdministratorRequest.Resource > ResourceType.Resource: value is required"),
    ],
    [
      "ListAdministrators",
      { filters: [{}] },
      embedded(
        "invalid ListAdministratorsRequest.Filters[0] > AdministratorSearchFilter.Filter: value is required",
      ),
    ],
    [
      "ListAdministrators",
      { filters: [{ role: {} }] },
      embedded(
        `invalid ListAdministratorsRequest.Filters[0] > AdministratorSearchFilter.Role > RoleFilter.RoleKey: ${length}`,
      ),
    ],
  ])("%s %j names the field", async (method, request, message) => {
    expect(await refusal(ask(method, request))).toEqual({ code: Code.InvalidArgument, message });
  });

  test("without a resource are administrators of nothing we have", async () => {
    const expected = invalid(
      "administrators exist on the instance and on organizations only",
      "ADMIN-IbPp47HDP5",
    );
    expect(
      await refusal(ask("CreateAdministrator", { userId: cast.nobody.id, roles: ["IAM_OWNER"] })),
    ).toEqual(expected);
    expect(await refusal(ask("DeleteAdministrator", { userId: cast.nobody.id }))).toEqual(expected);
  });

  describe("are listed", () => {
    const ids = ["adm-1", "adm-2", "adm-3"];
    const ours = { inUserIdsFilter: { ids } };
    let byCreation: Row[];
    beforeAll(async () => {
      await ask("AddOrganization", { name: "Listed", organizationId: "listed" });
      for (const userId of ids) {
        const human = person(userId, { profile: { givenName: userId, familyName: "100%" } });
        await ask("CreateUser", { organizationId: "listed", userId, username: `Name_${userId}`, human });
      }
      await create("adm-2", { organizationId: "listed" }, ["ORG_OWNER"]);
      await create("adm-1", instance, ["IAM_OWNER_VIEWER", "IAM_USER_MANAGER"]);
      await create("adm-3", { organizationId: "listed" }, ["ORG_USER_MANAGER", "ORG_OWNER_VIEWER"]);
      await create("adm-1", { organizationId: "listed" }, ["ORG_OWNER"]);
      await update("adm-2", { organizationId: "listed" }, ["ORG_OWNER_VIEWER"]);
      byCreation = await rows({ pagination: { asc: true }, filters: [ours] });
    });

    const label = (row: Row) => `${row.user.id}${row.instance ? " instance" : ""}`;
    const found = async (...filters: JsonObject[]) =>
      (
        await rows({
          pagination: { asc: true },
          sortingColumn: "ADMINISTRATOR_FIELD_NAME_CREATION_DATE",
          filters: [ours, ...filters],
        })
      ).map(label);
    const everyone = ["adm-2", "adm-1 instance", "adm-3", "adm-1"];

    test.each<[filter: JsonObject, expected: string[]]>([
      [{ userOrganizationId: { id: "listed" } }, everyone],
      [{ userOrganizationId: { id: "elsewhere" } }, []],
      [
        {
          userPreferredLoginName: {
            preferredLoginName: "name_adm-1",
            method: "TEXT_FILTER_METHOD_EQUALS_IGNORE_CASE",
          },
        },
        ["adm-1 instance", "adm-1"],
      ],
      [{ userPreferredLoginName: { preferredLoginName: "name_adm-1" } }, []],
      [
        { userPreferredLoginName: { preferredLoginName: "e_a", method: "TEXT_FILTER_METHOD_CONTAINS" } },
        everyone,
      ],
      [{ userPreferredLoginName: { preferredLoginName: "m_", method: "TEXT_FILTER_METHOD_CONTAINS" } }, []],
      [{ userDisplayName: { displayName: "adm-3", method: "TEXT_FILTER_METHOD_STARTS_WITH" } }, ["adm-3"]],
      [{ userDisplayName: { displayName: "100%", method: "TEXT_FILTER_METHOD_ENDS_WITH" } }, everyone],
      [{ userDisplayName: { displayName: "1%", method: "TEXT_FILTER_METHOD_CONTAINS" } }, []],
      [{ resource: instance }, ["adm-1 instance"]],
      [{ resource: { instance: false } }, ["adm-2", "adm-3", "adm-1"]],
      [{ resource: { organizationId: "listed" } }, ["adm-2", "adm-3", "adm-1"]],
      [{ resource: { organizationId: "instance" } }, []],
      [{ resource: { projectId: "p" } }, []],
      [{ role: { roleKey: "ORG_OWNER_VIEWER" } }, ["adm-2", "adm-3"]],
      [{ role: { roleKey: "ORG_OWNER" } }, ["adm-1"]],
      [{ role: { roleKey: "ORG_" } }, []],
      [
        {
          and: {
            queries: [{ role: { roleKey: "ORG_OWNER_VIEWER" } }, { inUserIdsFilter: { ids: ["adm-3"] } }],
          },
        },
        ["adm-3"],
      ],
      [
        { or: { queries: [{ resource: instance }, { role: { roleKey: "ORG_USER_MANAGER" } }] } },
        ["adm-1 instance", "adm-3"],
      ],
      [{ not: { query: { resource: instance } } }, ["adm-2", "adm-3", "adm-1"]],
      [
        {
          not: {
            query: { userDisplayName: { displayName: "adm-3", method: "TEXT_FILTER_METHOD_STARTS_WITH" } },
          },
        },
        ["adm-2", "adm-1 instance", "adm-1"],
      ],
    ])("by %j", async (filter, expected) => {
      expect(await found(filter)).toEqual(expected);
    });

    test("by dates", async () => {
      const [second] = byCreation.slice(1);
      const at = (member: "creationDate" | "changeDate", method: string) =>
        found({ [member]: { timestamp: second!.creationDate, method: `TIMESTAMP_FILTER_METHOD_${method}` } });
      expect(byCreation.map(label)).toEqual(everyone);
      expect(await at("creationDate", "EQUALS")).toEqual(["adm-1 instance"]);
      expect(await at("creationDate", "BEFORE")).toEqual(["adm-2"]);
      expect(await at("creationDate", "BEFORE_OR_EQUALS")).toEqual(["adm-2", "adm-1 instance"]);
      expect(await at("creationDate", "AFTER")).toEqual(["adm-3", "adm-1"]);
      expect(await at("creationDate", "AFTER_OR_EQUALS")).toEqual(["adm-1 instance", "adm-3", "adm-1"]);
      expect(await at("changeDate", "AFTER")).toEqual(["adm-2", "adm-3", "adm-1"]);
    });

    test.each([
      ["USER_ID", ["adm-1", "adm-1", "adm-2", "adm-3"]],
      ["CREATION_DATE", ["adm-2", "adm-1", "adm-3", "adm-1"]],
      ["CHANGE_DATE", ["adm-1", "adm-3", "adm-1", "adm-2"]],
      ["UNSPECIFIED", ["adm-2", "adm-1", "adm-3", "adm-1"]],
    ])("in the order of %s, both ways and page by page", async (column, expected) => {
      const sorted = async (pagination: JsonObject) =>
        (
          await rows({ pagination, sortingColumn: `ADMINISTRATOR_FIELD_NAME_${column}`, filters: [ours] })
        ).map(label);
      const whole = await sorted({ asc: true });
      expect(whole.map((each) => each.replace(" instance", ""))).toEqual(expected);
      expect(await sorted({})).toEqual([...whole].reverse());
      expect([
        ...(await sorted({ asc: true, limit: 3 })),
        ...(await sorted({ asc: true, limit: 3, offset: "3" })),
      ]).toEqual(whole);
      const { pagination } = await ask("ListAdministrators", {
        pagination: { limit: 3, offset: "9" },
        filters: [ours],
      });
      expect(pagination).toEqual({ totalResult: "4", appliedLimit: "3" });
    });

    test("up to a thousand at once, by filters nested up to twenty levels deep", async () => {
      expect(await refusal(rows({ pagination: { limit: 1_001 } }))).toEqual(
        invalid("the limit is above 1000", "GATE-L1m1t"),
      );
      const nested = (levels: number): JsonObject =>
        levels === 0 ? { resource: instance } : { not: { query: nested(levels - 1) } };
      expect(await found(nested(20))).toEqual(["adm-1 instance"]);
      expect(await refusal(rows({ filters: [nested(21)] }))).toEqual(
        invalid("filters may be nested at most 20 levels deep", "GATE-AdmDp"),
      );
      for (const filter of [{ and: {} }, { or: {} }, { not: {} }] as JsonObject[]) {
        expect(await refusal(rows({ filters: [filter] }))).toEqual(
          invalid("List.Query.Invalid", "GATE-AdmQu"),
        );
      }
    });

    test("to those who may see them, the instance's and an organization's apart, and counted no further", async () => {
      const { id, call } = await newBot();
      const seen = async (who: Call) => {
        const { pagination, administrators = [] } = (await who("ListAdministrators", {
          filters: [ours],
        })) as {
          pagination: JsonObject;
          administrators?: Row[];
        };
        expect(Number(pagination.totalResult ?? 0)).toBe(administrators.length);
        return administrators.map(label).sort();
      };
      expect(await seen(asking(house, cast.viewer))).toEqual([...everyone].sort());
      expect(await seen(asking(house, cast.otherOrgOwner))).toEqual([]);
      expect(await seen(call)).toEqual([]);
      await create(id, instance, ["IAM_ORG_MANAGER"]);
      expect(await seen(call)).toEqual(["adm-1", "adm-2", "adm-3"]);
      await remove(id, instance);
      await create(id, { organizationId: "listed" }, ["ORG_OWNER_VIEWER"]);
      expect(await seen(call)).toEqual(["adm-1", "adm-2", "adm-3"]);
      await update(id, { organizationId: "listed" }, ["ORG_USER_MANAGER"]);
      expect(await seen(call)).toEqual([]);
    });
  });
});
