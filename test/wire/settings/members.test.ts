import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { type Cast, type House, startHouse } from "../../support/fixtures.ts";
import { protocolsOn } from "../protocols.ts";
import { asking as askingUsers, permissionDenied, uuid } from "../users/wire.ts";
import { between, defined, everybody, invalid, methodDenied, objectDetails, type Who, who } from "./rows.ts";
import { type Ask, asking, refusal } from "./wire.ts";

const missing = (id: string) => refused(Code.InvalidArgument, "user or roles are missing", id);
const unknownRole = (id: string) => refused(Code.InvalidArgument, "role does not exist", id);
const unknownUser = (id: string) => refused(Code.FailedPrecondition, "user could not be found", id);
const taken = (id: string) => refused(Code.AlreadyExists, "user is an administrator already", id);
const nobodyThere = (id: string) => refused(Code.NotFound, "administrator could not be found", id);
const USER_ID = between(1, 200);

describe.each(engines)("members and programs of the older services on %s", (engine) => {
  let house: House;
  let cast: Cast;
  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
  });
  afterAll(() => house.close());

  const admin = (name: Who = "owner"): Ask => asking(house, "admin", who[name](cast));
  const management = (name: Who = "orgOwner"): Ask => asking(house, "management", who[name](cast));

  /** The roles of somebody, as the newer service tells them. */
  const rolesOf = async (userId: string, resource: JsonObject): Promise<unknown> => {
    const list = askingUsers(house, cast.owner, "Connect");
    const filters: JsonObject[] = [{ inUserIdsFilter: { ids: [userId] } }, { resource }];
    const { administrators = [] } = await list("ListAdministrators", { filters });
    return (administrators as JsonObject[]).map(({ roles }) => roles)[0];
  };

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    test("a member of the instance comes, changes and goes", async () => {
      const ask = asking(house, "admin", cast.owner, protocol);
      const userId = cast.mia.id;
      const answer = { details: objectDetails(cast.instanceId) };
      const instance = { instance: true };
      expect(await ask("AddIAMMember", { userId, roles: ["IAM_OWNER_VIEWER"] })).toEqual(answer);
      expect(await rolesOf(userId, instance)).toEqual(["IAM_OWNER_VIEWER"]);
      expect(await ask("UpdateIAMMember", { userId, roles: ["IAM_USER_MANAGER"] })).toEqual(answer);
      expect(await rolesOf(userId, instance)).toEqual(["IAM_USER_MANAGER"]);
      expect(await ask("RemoveIAMMember", { userId })).toEqual(answer);
      expect(await rolesOf(userId, instance)).toBeUndefined();
      // There is nothing left to take away, and nothing to tell of it.
      expect(await ask("RemoveIAMMember", { userId })).toEqual({});
    });

    test("a member of an organization comes, changes and goes", async () => {
      const ask = asking(house, "management", cast.orgOwner, protocol);
      const userId = cast.noah.id;
      const answer = { details: objectDetails(cast.home.id) };
      const organization = { organizationId: cast.home.id };
      expect(await ask("AddOrgMember", { userId, roles: ["ORG_OWNER_VIEWER"] })).toEqual(answer);
      expect(await rolesOf(userId, organization)).toEqual(["ORG_OWNER_VIEWER"]);
      expect(await ask("UpdateOrgMember", { userId, roles: ["ORG_USER_MANAGER"] })).toEqual(answer);
      expect(await rolesOf(userId, organization)).toEqual(["ORG_USER_MANAGER"]);
      expect(await ask("RemoveOrgMember", { userId })).toEqual(answer);
      expect(await rolesOf(userId, organization)).toBeUndefined();
      expect(await ask("RemoveOrgMember", { userId })).toEqual({});
    });

    test("a program is added, gets a token, and calls with it", async () => {
      const ask = asking(house, "management", cast.orgUserManager, protocol);
      const userName = `program-${protocol}`;
      const added = await ask("AddMachineUser", {
        userName,
        name: "Program",
        description: "Runs at night",
        accessTokenType: "ACCESS_TOKEN_TYPE_JWT",
      });
      expect(added).toEqual({ userId: uuid, details: { ...objectDetails(cast.home.id), sequence: "1" } });
      const userId = added.userId as string;

      const issued = await ask("AddPersonalAccessToken", { userId, expirationDate: "2099-01-01T00:00:00Z" });
      expect(issued).toEqual({
        tokenId: uuid,
        token: expect.stringMatching(/^gatehouse_pat_/),
        details: { ...objectDetails(cast.home.id), sequence: "2" },
      });
      const itself = askingUsers(house, { token: issued.token as string });
      expect((await itself("GetUserByID", { userId })).user).toMatchObject({
        username: userName,
        machine: {
          name: "Program",
          description: "Runs at night",
          accessTokenType: "ACCESS_TOKEN_TYPE_JWT",
        },
      });
    });

    test("GetMyOrg tells the caller's organization, or the one of the header", async () => {
      const ask = asking(house, "management", cast.owner, protocol);
      const org = (id: string, name: string) => ({
        org: {
          id,
          details: objectDetails(id),
          state: "ORG_STATE_ACTIVE",
          name,
          primaryDomain: `${name.toLowerCase()}.localhost`,
        },
      });
      expect(await ask("GetMyOrg")).toEqual(org(cast.home.id, "Default"));
      const header = { "x-zitadel-orgid": cast.elsewhere.id };
      expect(await ask("GetMyOrg", {}, header)).toEqual(org(cast.elsewhere.id, "elsewhere"));
    });
  });

  describe("who may", () => {
    const rows: [
      service: "admin" | "management",
      method: string,
      request: () => JsonObject,
      holders: Who[],
    ][] = [
      ["admin", "AddIAMMember", () => ({ userId: "x", roles: [] }), ["owner", "loginClient"]],
      ["admin", "UpdateIAMMember", () => ({ userId: "x", roles: [] }), ["owner", "loginClient"]],
      ["admin", "RemoveIAMMember", () => ({ userId: "x" }), ["owner"]],
      [
        "management",
        "AddOrgMember",
        () => ({ userId: "x", roles: [] }),
        ["owner", "loginClient", "orgOwner"],
      ],
      [
        "management",
        "UpdateOrgMember",
        () => ({ userId: "x", roles: [] }),
        ["owner", "loginClient", "orgOwner"],
      ],
      ["management", "RemoveOrgMember", () => ({ userId: "x" }), ["owner", "orgOwner"]],
      [
        "management",
        "AddMachineUser",
        () => ({ userName: " ", name: " " }),
        ["owner", "loginClient", "userManager", "orgOwner", "orgUserManager"],
      ],
      [
        "management",
        "AddPersonalAccessToken",
        () => ({ userId: cast.mia.id }),
        ["owner", "loginClient", "userManager", "orgOwner", "orgUserManager"],
      ],
      ["management", "RemoveOrg", () => ({}), ["owner"]],
      [
        "management",
        "GetMyOrg",
        () => ({}),
        ["owner", "loginClient", "viewer", "userManager", "orgOwner", "orgUserManager", "permissionEditor"],
      ],
    ];

    test.each(rows)("%s %s", async (service, method, request, holders) => {
      for (const name of everybody) {
        const call = asking(house, service, who[name](cast))(method, request());
        // Whoever may is refused for what is wrong with the request, if anything is.
        const outcome = await call.then(
          () => undefined,
          (error) => refusal(Promise.reject(error)),
        );
        if (holders.includes(name)) expect(outcome?.code).not.toBe(Code.PermissionDenied);
        else expect([name, outcome]).toEqual([name, methodDenied]);
      }
    });

    test("an organization's owner has no say in another one, whose owner has", async () => {
      const header = { "x-zitadel-orgid": cast.elsewhere.id };
      const request = { userId: cast.mia.id, roles: ["ORG_OWNER"] };
      expect(await refusal(management("orgOwner")("AddOrgMember", request, header))).toEqual(methodDenied);
      expect(await refusal(management("otherOrgOwner")("AddOrgMember", request))).toEqual(methodDenied);
      expect(await management("otherOrgOwner")("AddOrgMember", request, header)).toEqual({
        details: objectDetails(cast.elsewhere.id),
      });
      await management("otherOrgOwner")("RemoveOrgMember", { userId: cast.mia.id }, header);
    });

    test("an organization's user manager issues no token to a program of another one", async () => {
      const added = await management("owner")(
        "AddMachineUser",
        { userName: "stranger", name: "Stranger" },
        { "x-zitadel-orgid": cast.elsewhere.id },
      );
      const request = { userId: added.userId as string };
      expect(await refusal(management("orgUserManager")("AddPersonalAccessToken", request))).toEqual(
        permissionDenied,
      );
    });
  });

  describe("a request that is wrong", () => {
    const long = "x".repeat(201);
    const machine = { userName: "robot", name: "Robot" };
    test.each<[() => Ask, string, () => JsonObject, ReturnType<typeof invalid>]>([
      [
        admin,
        "AddIAMMember",
        () => ({ userId: "", roles: ["IAM_OWNER"] }),
        invalid(`invalid AddIAMMemberRequest.UserId: ${USER_ID}`),
      ],
      [
        admin,
        "AddIAMMember",
        () => ({ userId: long, roles: ["IAM_OWNER"] }),
        invalid(`invalid AddIAMMemberRequest.UserId: ${USER_ID}`),
      ],
      [admin, "AddIAMMember", () => ({ userId: cast.mia.id }), missing("INSTA-SDSfs")],
      [
        admin,
        "AddIAMMember",
        () => ({ userId: cast.mia.id, roles: ["IAM_KING"] }),
        unknownRole("INSTANCE-4m0fS"),
      ],
      [
        admin,
        "AddIAMMember",
        () => ({ userId: cast.mia.id, roles: ["ORG_OWNER"] }),
        unknownRole("INSTANCE-4m0fS"),
      ],
      [admin, "AddIAMMember", () => ({ userId: "nobody", roles: ["IAM_OWNER"] }), unknownUser("INSTA-GSXOn")],
      [admin, "AddIAMMember", () => ({ userId: cast.viewer.id, roles: ["IAM_OWNER"] }), taken("INSTA-pFDwe")],
      [
        admin,
        "UpdateIAMMember",
        () => ({ userId: long, roles: ["IAM_OWNER"] }),
        invalid(`invalid UpdateIAMMemberRequest.UserId: ${USER_ID}`),
      ],
      [admin, "UpdateIAMMember", () => ({ userId: cast.viewer.id }), missing("INSTA-SDSfs")],
      [
        admin,
        "UpdateIAMMember",
        () => ({ userId: cast.viewer.id, roles: ["IAM_KING"] }),
        unknownRole("INSTANCE-4m0fS"),
      ],
      [
        admin,
        "UpdateIAMMember",
        () => ({ userId: cast.mia.id, roles: ["IAM_OWNER"] }),
        nobodyThere("GATE-Adm1n"),
      ],
      [
        admin,
        "RemoveIAMMember",
        () => ({ userId: long }),
        invalid(`invalid RemoveIAMMemberRequest.UserId: ${USER_ID}`),
      ],
      [
        management,
        "AddOrgMember",
        () => ({ userId: "", roles: ["ORG_OWNER"] }),
        invalid(`invalid AddOrgMemberRequest.UserId: ${USER_ID}`),
      ],
      [
        management,
        "AddOrgMember",
        () => ({ userId: long, roles: ["ORG_OWNER"] }),
        invalid(`invalid AddOrgMemberRequest.UserId: ${USER_ID}`),
      ],
      [management, "AddOrgMember", () => ({ userId: cast.mia.id }), missing("ORG-4Mlfs")],
      [
        management,
        "AddOrgMember",
        () => ({ userId: cast.mia.id, roles: ["IAM_OWNER"] }),
        unknownRole("Org-4N8es"),
      ],
      [
        management,
        "AddOrgMember",
        () => ({ userId: "nobody", roles: ["ORG_OWNER"] }),
        unknownUser("ORG-GoXOn"),
      ],
      [
        management,
        "AddOrgMember",
        () => ({ userId: cast.orgUserManager.id, roles: ["ORG_OWNER"] }),
        taken("ORG-poWwe"),
      ],
      [
        management,
        "UpdateOrgMember",
        () => ({ userId: long, roles: ["ORG_OWNER"] }),
        invalid(`invalid UpdateOrgMemberRequest.UserId: ${USER_ID}`),
      ],
      [
        management,
        "UpdateOrgMember",
        () => ({ userId: cast.mia.id, roles: ["ORG_OWNER"] }),
        nobodyThere("GATE-Adm0r"),
      ],
      [
        management,
        "RemoveOrgMember",
        () => ({ userId: long }),
        invalid(`invalid RemoveOrgMemberRequest.UserId: ${USER_ID}`),
      ],
      [
        management,
        "AddMachineUser",
        () => ({ ...machine, userName: "" }),
        invalid(`invalid AddMachineUserRequest.UserName: ${between(1, 200)}`),
      ],
      [
        management,
        "AddMachineUser",
        () => ({ ...machine, userName: long }),
        invalid(`invalid AddMachineUserRequest.UserName: ${between(1, 200)}`),
      ],
      [
        management,
        "AddMachineUser",
        () => ({ ...machine, name: "" }),
        invalid(`invalid AddMachineUserRequest.Name: ${between(1, 200)}`),
      ],
      [
        management,
        "AddMachineUser",
        () => ({ ...machine, name: long }),
        invalid(`invalid AddMachineUserRequest.Name: ${between(1, 200)}`),
      ],
      [
        management,
        "AddMachineUser",
        () => ({ ...machine, description: "x".repeat(501) }),
        invalid("invalid AddMachineUserRequest.Description: value length must be at most 500 runes"),
      ],
      [
        management,
        "AddMachineUser",
        () => ({ ...machine, accessTokenType: 2 }),
        invalid(`invalid AddMachineUserRequest.AccessTokenType: ${defined}`),
      ],
      [
        management,
        "AddMachineUser",
        () => ({ ...machine, userId: "" }),
        invalid(`invalid AddMachineUserRequest.UserId: ${between(1, 200)}`),
      ],
      [
        management,
        "AddMachineUser",
        () => ({ ...machine, userId: long }),
        invalid(`invalid AddMachineUserRequest.UserId: ${between(1, 200)}`),
      ],
      [
        management,
        "AddMachineUser",
        () => ({ ...machine, userId: cast.mia.id }),
        refused(Code.FailedPrecondition, "user already exists", "COMMAND-7yiox1isql"),
      ],
      [
        management,
        "AddPersonalAccessToken",
        () => ({ userId: "" }),
        invalid("invalid AddPersonalAccessTokenRequest.UserId: value length must be at least 1 runes"),
      ],
      [
        management,
        "AddPersonalAccessToken",
        () => ({ userId: cast.nobody.id, expirationDate: "2020-01-01T00:00:00Z" }),
        refused(Code.InvalidArgument, "expiration date is in the past", "DOMAIN-dv3t5"),
      ],
      [
        management,
        "AddPersonalAccessToken",
        () => ({ userId: cast.mia.id }),
        refused(Code.FailedPrecondition, "only machine users have personal access tokens", "COMMAND-Df2f1"),
      ],
    ])("%s %s is told what", async (service, method, request, expected) => {
      expect(await refusal(service()(method, request()))).toEqual(expected);
    });
  });

  test("a program with an id of its own, without description and expiration, is as good", async () => {
    const request = { userId: "robot-1", userName: "robot-1", name: "Robot" };
    expect((await management("orgOwner")("AddMachineUser", request)).userId).toBe("robot-1");
    const { token } = await management("orgOwner")("AddPersonalAccessToken", { userId: "robot-1" });
    const itself = askingUsers(house, { token: token as string });
    expect((await itself("GetUserByID", { userId: "robot-1" })).user).toMatchObject({
      machine: { name: "Robot" },
    });
  });

  test("the same roles again change nothing", async () => {
    const request = { userId: cast.orgUserManager.id, roles: ["ORG_USER_MANAGER"] };
    const first = (await management()("UpdateOrgMember", request)).details as JsonObject;
    const second = (await management()("UpdateOrgMember", request)).details as JsonObject;
    expect(second).toEqual(first);
  });
});
