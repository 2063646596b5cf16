import { generateKeyPairSync } from "node:crypto";
import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashPassword } from "../../../src/crypto/password-hash.ts";
import { type Refusal, refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { type Cast, type House, PASSWORD, signIn, startHouse } from "../../support/fixtures.ts";
import {
  asking,
  type Call,
  type Method,
  permissionDenied,
  person,
  refusal,
  unauthenticated,
} from "./wire.ts";

const FRESH = "Battery-Staple-2";
const FAR = "2100-01-01T00:00:00Z";
const PUBLIC_KEY = Buffer.from(
  generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "pem" }),
).toString("base64");

/** Callers by what they are; organization roles are held at home, where the users in question live. */
const rolesOf = {
  IAM_OWNER: "instance",
  IAM_OWNER_VIEWER: "instance",
  IAM_ORG_MANAGER: "instance",
  IAM_USER_MANAGER: "instance",
  IAM_LOGIN_CLIENT: "instance",
  ORG_OWNER: "home",
  ORG_OWNER_VIEWER: "home",
  ORG_USER_MANAGER: "home",
  ORG_USER_PERMISSION_EDITOR: "home",
  ORG_SETTINGS_MANAGER: "home",
} as const;
type Role = keyof typeof rolesOf;
const roles = Object.keys(rolesOf) as Role[];

type Kind = Role | "ORG_OWNER elsewhere" | "nobody" | "the user" | "the user with ORG_USER_SELF_MANAGER";
const kinds: Kind[] = [
  ...roles,
  "ORG_OWNER elsewhere",
  "nobody",
  "the user",
  "the user with ORG_USER_SELF_MANAGER",
];
const self: Kind[] = ["the user", "the user with ORG_USER_SELF_MANAGER"];

// Who holds what, as the specification prints it.
const userWrite: Kind[] = [
  "IAM_OWNER",
  "IAM_ORG_MANAGER",
  "IAM_USER_MANAGER",
  "IAM_LOGIN_CLIENT",
  "ORG_OWNER",
  "ORG_USER_MANAGER",
];
const userRead: Kind[] = [...userWrite, "IAM_OWNER_VIEWER", "ORG_OWNER_VIEWER", "ORG_USER_PERMISSION_EDITOR"];
const userDelete: Kind[] = [
  "IAM_OWNER",
  "IAM_ORG_MANAGER",
  "IAM_USER_MANAGER",
  "ORG_OWNER",
  "ORG_USER_MANAGER",
];
const orgWriteOnInstance: Kind[] = ["IAM_OWNER", "IAM_ORG_MANAGER"];
const orgRead: Kind[] = [...userRead, "ORG_SETTINGS_MANAGER"];
const orgMemberRead: Kind[] = [
  "IAM_OWNER",
  "IAM_OWNER_VIEWER",
  "IAM_ORG_MANAGER",
  "IAM_USER_MANAGER",
  "IAM_LOGIN_CLIENT",
  "ORG_OWNER",
  "ORG_OWNER_VIEWER",
  "ORG_SETTINGS_MANAGER",
  "ORG_USER_PERMISSION_EDITOR",
];
const orgMemberWrite: Kind[] = ["IAM_OWNER", "IAM_ORG_MANAGER", "IAM_LOGIN_CLIENT", "ORG_OWNER"];
const iamMemberRead: Kind[] = ["IAM_OWNER", "IAM_OWNER_VIEWER", "IAM_LOGIN_CLIENT"];
const iamMemberWrite: Kind[] = ["IAM_OWNER", "IAM_LOGIN_CLIENT"];

/** A user the calls are about, new for each of them, and somebody who administers its organization. */
type Target = { userId: string; tokenId: string; keyId: string; home: string; memberId: string };

type Row = {
  what: string;
  method: Method;
  /** The kind of user it is about; a person unless it says otherwise. */
  about?: "machine";
  before?: (ask: Call, target: Target) => Promise<unknown>;
  request: (target: Target) => JsonObject;
  allowed: Kind[];
  /** Where it is another than that of most. */
  denied?: Refusal;
};

const newPassword = { password: FRESH };
const methodDenied = refused(Code.PermissionDenied, "No matching permissions found", "AUTH-5mWD2");
const byId = ({ userId }: Target): JsonObject => ({ userId });
let fresh = 0;
const freshName = () => {
  fresh += 1;
  return `fresh-${fresh}`;
};
const ofUser = (userId: string): JsonObject => ({ inUserIdsFilter: { ids: [userId] } });
const onHome = ({ home }: Target) => ({ organizationId: home });
const onInstance = () => ({ instance: true });

/** Calls that do something, or are refused. */
const table: Row[] = [
  {
    what: "a service account",
    method: "CreateUser",
    request: ({ home }) => ({ organizationId: home, machine: { name: "x" } }),
    allowed: userWrite,
  },
  {
    what: "a person",
    method: "CreateUser",
    request: ({ home }) => ({ organizationId: home, human: person(freshName()) }),
    allowed: userWrite,
  },
  {
    what: "a person",
    method: "AddHumanUser",
    request: ({ home }) => person(freshName(), { organization: { orgId: home } }),
    allowed: userWrite,
    denied: methodDenied,
  },
  { what: "a person", method: "GetUserByID", request: byId, allowed: [...userRead, ...self] },
  {
    what: "a service account",
    method: "GetUserByID",
    about: "machine",
    request: byId,
    allowed: [...userRead, ...self],
  },
  {
    what: "a profile",
    method: "UpdateUser",
    request: ({ userId }) => ({ userId, human: { profile: { nickName: "N" } } }),
    allowed: [...userWrite, ...self],
  },
  {
    what: "a user name",
    method: "UpdateUser",
    request: ({ userId }) => ({ userId, username: freshName() }),
    allowed: [...userWrite, ...self],
  },
  {
    what: "an e-mail address to be verified",
    method: "UpdateUser",
    request: ({ userId }) => ({ userId, human: { email: { email: "new@example.com" } } }),
    allowed: [...userWrite, ...self],
  },
  {
    what: "an e-mail address that is vouched for",
    method: "UpdateUser",
    request: ({ userId }) => ({ userId, human: { email: { email: "new@example.com", isVerified: true } } }),
    allowed: userWrite,
  },
  {
    what: "an e-mail address whose code comes back",
    method: "UpdateUser",
    request: ({ userId }) => ({ userId, human: { email: { email: "new@example.com", returnCode: {} } } }),
    allowed: userWrite,
  },
  {
    what: "a phone number whose code comes back",
    method: "UpdateUser",
    request: ({ userId }) => ({ userId, human: { phone: { phone: "+41791234567", returnCode: {} } } }),
    allowed: userWrite,
  },
  {
    what: "a password without proof",
    method: "UpdateUser",
    request: ({ userId }) => ({ userId, human: { password: { password: newPassword } } }),
    allowed: userWrite,
  },
  {
    what: "a password with the current one",
    method: "UpdateUser",
    request: ({ userId }) => ({
      userId,
      human: { password: { password: newPassword, currentPassword: PASSWORD } },
    }),
    allowed: [...userWrite, ...self],
  },
  {
    what: "a service account",
    method: "UpdateUser",
    about: "machine",
    request: ({ userId }) => ({ userId, machine: { name: "new" } }),
    allowed: [...userWrite, ...self],
  },
  {
    what: "a profile",
    method: "UpdateHumanUser",
    request: ({ userId }) => ({ userId, profile: { givenName: "New", familyName: "Name" } }),
    allowed: [...userWrite, ...self],
  },
  {
    what: "a phone number that is vouched for",
    method: "UpdateHumanUser",
    request: ({ userId }) => ({ userId, phone: { phone: "+41791234567", isVerified: true } }),
    allowed: userWrite,
  },
  {
    what: "a person",
    method: "DeleteUser",
    request: byId,
    allowed: [...userDelete, "the user with ORG_USER_SELF_MANAGER"],
  },
  {
    what: "a service account",
    method: "DeleteUser",
    about: "machine",
    request: byId,
    allowed: [...userDelete, "the user with ORG_USER_SELF_MANAGER"],
  },
  { what: "a person", method: "LockUser", request: byId, allowed: userWrite },
  { what: "a person", method: "DeactivateUser", request: byId, allowed: userWrite },
  {
    what: "a person",
    method: "UnlockUser",
    before: (ask, { userId }) => ask("LockUser", { userId }),
    request: byId,
    allowed: userWrite,
  },
  {
    what: "a person",
    method: "ReactivateUser",
    before: (ask, { userId }) => ask("DeactivateUser", { userId }),
    request: byId,
    allowed: userWrite,
  },
  {
    what: "without proof",
    method: "SetPassword",
    request: ({ userId }) => ({ userId, newPassword }),
    allowed: userWrite,
  },
  {
    what: "with the current one",
    method: "SetPassword",
    request: ({ userId }) => ({ userId, newPassword, currentPassword: PASSWORD }),
    allowed: [...userWrite, ...self],
  },
  {
    what: "to a service account",
    method: "AddPersonalAccessToken",
    about: "machine",
    request: ({ userId }) => ({ userId, expirationDate: FAR }),
    allowed: [...userWrite, ...self],
  },
  {
    what: "of a service account",
    method: "RemovePersonalAccessToken",
    about: "machine",
    request: ({ userId, tokenId }) => ({ userId, tokenId }),
    allowed: [...userWrite, ...self],
  },
  {
    what: "of a service account",
    method: "AddKey",
    about: "machine",
    request: ({ userId }) => ({ userId, expirationDate: FAR, publicKey: PUBLIC_KEY }),
    allowed: [...userWrite, ...self],
  },
  {
    what: "of a service account",
    method: "RemoveKey",
    about: "machine",
    request: ({ userId, keyId }) => ({ userId, keyId }),
    allowed: [...userWrite, ...self],
  },
  {
    what: "of a service account",
    method: "AddSecret",
    about: "machine",
    request: byId,
    allowed: [...userWrite, ...self],
  },
  {
    what: "of a service account",
    method: "RemoveSecret",
    about: "machine",
    request: byId,
    allowed: [...userWrite, ...self],
  },
  {
    what: "of a person",
    method: "ListAuthenticationMethodTypes",
    request: byId,
    allowed: [...userRead, ...self],
  },
  {
    what: "of a person",
    method: "ListAuthenticationFactors",
    request: byId,
    allowed: [...userRead, ...self],
  },
  {
    what: "of a new name",
    method: "AddOrganization",
    request: () => ({ name: freshName() }),
    allowed: orgWriteOnInstance,
  },
  {
    what: "of the name of the user",
    method: "DeleteOrganization",
    before: (ask, { userId }) => ask("AddOrganization", { name: userId, organizationId: `of-${userId}` }),
    request: ({ userId }) => ({ organizationId: `of-${userId}` }),
    allowed: orgWriteOnInstance,
  },
  {
    what: "of the organization",
    method: "CreateAdministrator",
    request: (target) => ({ userId: target.userId, resource: onHome(target), roles: ["ORG_USER_MANAGER"] }),
    allowed: orgMemberWrite,
  },
  {
    what: "of the organization",
    method: "UpdateAdministrator",
    request: (target) => ({ userId: target.memberId, resource: onHome(target), roles: ["ORG_OWNER"] }),
    allowed: orgMemberWrite,
  },
  {
    what: "of the organization",
    method: "DeleteAdministrator",
    request: (target) => ({ userId: target.memberId, resource: onHome(target) }),
    allowed: orgMemberWrite,
  },
  {
    what: "of the organization, who is none",
    method: "DeleteAdministrator",
    request: (target) => ({ userId: "nobody-of-that-id", resource: onHome(target) }),
    allowed: orgMemberWrite,
  },
  {
    what: "of the instance",
    method: "CreateAdministrator",
    request: ({ userId }) => ({ userId, resource: onInstance(), roles: ["IAM_OWNER_VIEWER"] }),
    allowed: iamMemberWrite,
  },
  {
    what: "of the instance",
    method: "UpdateAdministrator",
    request: ({ memberId }) => ({ userId: memberId, resource: onInstance(), roles: ["IAM_OWNER"] }),
    allowed: iamMemberWrite,
  },
  {
    what: "of the instance",
    method: "DeleteAdministrator",
    request: ({ memberId }) => ({ userId: memberId, resource: onInstance() }),
    allowed: iamMemberWrite,
  },
  {
    what: "of the instance, who is none",
    method: "DeleteAdministrator",
    request: () => ({ userId: "nobody-of-that-id", resource: onInstance() }),
    allowed: iamMemberWrite,
  },
];

/** Lists: everybody may ask, and sees the row in question or not. */
const lists: {
  what: string;
  method: Method;
  about?: "machine";
  request: (target: Target) => JsonObject;
  shown: Kind[];
}[] = [
  {
    what: "the user",
    method: "ListUsers",
    request: ({ userId }) => ({ queries: [{ inUserIdsQuery: { userIds: [userId] } }] }),
    shown: [...userRead, ...self],
  },
  {
    what: "the token of a service account",
    method: "ListPersonalAccessTokens",
    about: "machine",
    request: ({ tokenId }) => ({ filters: [{ tokenIdFilter: { id: tokenId } }] }),
    shown: [...userRead, ...self],
  },
  {
    what: "the key of a service account",
    method: "ListKeys",
    about: "machine",
    request: ({ keyId }) => ({ filters: [{ keyIdFilter: { id: keyId } }] }),
    shown: [...userRead, ...self],
  },
  {
    what: "the organization",
    method: "ListOrganizations",
    request: ({ home }) => ({ queries: [{ idQuery: { id: home } }] }),
    shown: orgRead,
  },
  {
    what: "an administrator of the organization",
    method: "ListAdministrators",
    request: ({ memberId, home }) => ({
      filters: [ofUser(memberId), { resource: { organizationId: home } }],
    }),
    shown: orgMemberRead,
  },
  {
    what: "an administrator of the instance",
    method: "ListAdministrators",
    request: ({ memberId }) => ({
      filters: [ofUser(memberId), { resource: { instance: true } }],
    }),
    shown: iamMemberRead,
  },
];

describe.each(engines)("who may do what on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let ask: Call;
  const callers = new Map<Kind, Call>();
  const hashedPassword = { hash: "" };

  const newBot = async (organizationId: string) => {
    const { id } = await ask("CreateUser", { organizationId, machine: { name: "Bot" } });
    const added = await ask("AddPersonalAccessToken", { userId: id!, expirationDate: FAR });
    return { id: id as string, token: added.token as string, tokenId: added.tokenId as string };
  };
  const grant = (userId: string, resource: JsonObject, role: string) =>
    ask("CreateAdministrator", { userId, resource, roles: [role] });

  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
    ask = asking(house, cast.owner);
    hashedPassword.hash = hashPassword(PASSWORD);
    for (const role of roles) {
      // Living elsewhere: nothing comes from being at home but what the role gives.
      const { id, token } = await newBot(cast.elsewhere.id);
      await grant(id, rolesOf[role] === "instance" ? onInstance() : { organizationId: cast.home.id }, role);
      callers.set(role, asking(house, { token }));
    }
    callers.set("ORG_OWNER elsewhere", asking(house, cast.otherOrgOwner));
    callers.set("nobody", asking(house, cast.nobody));
  });
  afterAll(() => house.close());

  const newTarget = async (about: "machine" | undefined, withMember: boolean) => {
    const home = cast.home.id;
    const member = withMember ? await newBot(home) : undefined;
    if (member) {
      await grant(member.id, { organizationId: home }, "ORG_OWNER_VIEWER");
      await grant(member.id, onInstance(), "IAM_OWNER_VIEWER");
    }
    const memberId = member?.id ?? "";
    if (about === "machine") {
      const { id: userId, token, tokenId } = await newBot(home);
      const key = await ask("AddKey", { userId, expirationDate: FAR, publicKey: PUBLIC_KEY });
      await ask("AddSecret", { userId });
      return { target: { userId, tokenId, keyId: key.keyId as string, home, memberId }, token };
    }
    const human = person(freshName(), { hashedPassword });
    const userId = (await ask("CreateUser", { organizationId: home, human })).id as string;
    return { target: { userId, tokenId: "", keyId: "", home, memberId }, token: undefined };
  };

  /** The caller of a kind; the user in question comes with a token, or a session's. */
  const callerOf = async (kind: Kind, { userId, home }: Target, token: string | undefined): Promise<Call> => {
    const known = callers.get(kind);
    if (known) return known;
    if (kind === "the user with ORG_USER_SELF_MANAGER") {
      await grant(userId, { organizationId: home }, "ORG_USER_SELF_MANAGER");
    }
    if (token) return asking(house, { token });
    const { sessionToken } = await house
      .as(cast.loginClient)
      .createSession({ checks: signIn({ id: userId }) });
    return asking(house, { token: sessionToken });
  };

  const rows = table.map((row) => [row.method, row.what, row] as const);

  describe.each(rows)("%s, %s:", (_, __, row) => {
    const aboutMembers = row.method.endsWith("Administrator");
    // Who is locked or inactive does not get as far as this.
    const possible = row.before ? kinds.filter((kind) => !self.includes(kind)) : kinds;
    const already = (kind: Kind) =>
      row.method === "CreateAdministrator" && kind === "the user with ORG_USER_SELF_MANAGER";

    // Every caller on one of the two databases: the answer is decided before either is asked.
    const here = kinds.filter((_, at) => at % engines.length === engines.indexOf(engine));

    test.each(possible.filter((kind) => here.includes(kind) && !already(kind)))("%s", async (kind) => {
      const { target, token } = await newTarget(row.about, aboutMembers);
      const caller = await callerOf(kind, target, token);
      await row.before?.(ask, target);
      const call = caller(row.method, row.request(target));
      if (row.allowed.includes(kind)) await expect(call).resolves.toBeDefined();
      else expect(await refusal(call)).toEqual(row.denied ?? permissionDenied);
    });
  });

  describe.each(lists.map((row) => [row.method, row.what, row] as const))("%s, %s:", (_, __, row) => {
    test.each(kinds)("%s", async (kind) => {
      const { target, token } = await newTarget(row.about, row.method === "ListAdministrators");
      const answer = await (await callerOf(kind, target, token))(row.method, row.request(target));
      const { totalResult = "0" } = (answer.details ?? answer.pagination) as { totalResult?: string };
      const shown = (answer.result ?? answer.administrators ?? []) as unknown[];
      expect(shown).toHaveLength(row.shown.includes(kind) ? 1 : 0);
      expect(totalResult).toBe(String(shown.length));
    });
  });

  describe("a user nobody knows", () => {
    const unknown = "nobody-of-that-id";
    const missing = (id: string, code = Code.NotFound) => refused(code, "user could not be found", id);
    /** By the ids of each call; whoever may not know is told the same as for a stranger's user. */
    const calls: [method: Method, more: JsonObject, expected: Refusal, told: Kind[]][] = [
      ["GetUserByID", {}, missing("QUERY-Dfbg2"), userRead],
      ["UpdateUser", { username: "x" }, missing("QUERY-Dfbg2"), userWrite],
      ["UpdateHumanUser", {}, missing("QUERY-Dfbg2"), userWrite],
      ["DeleteUser", {}, missing("COMMAND-bd4ir1mblj"), userDelete],
      ["LockUser", {}, missing("COMMAND-450yxuqrh1"), userWrite],
      ["UnlockUser", {}, missing("COMMAND-x377t913pw"), userWrite],
      ["DeactivateUser", {}, missing("COMMAND-5gp2p62iin"), userWrite],
      ["ReactivateUser", {}, missing("COMMAND-9hy5kzbuk6"), userWrite],
      ["SetPassword", { newPassword }, missing("COMMAND-G8dh3", Code.FailedPrecondition), userWrite],
      [
        "AddPersonalAccessToken",
        { expirationDate: FAR },
        missing("COMMAND-Dggw2", Code.FailedPrecondition),
        userWrite,
      ],
      [
        "RemovePersonalAccessToken",
        { tokenId: "t" },
        refused(Code.NotFound, "token could not be found", "COMMAND-4m77G"),
        userWrite,
      ],
      ["AddKey", { expirationDate: FAR }, missing("COMMAND-bnipwm1", Code.FailedPrecondition), userWrite],
      [
        "RemoveKey",
        { keyId: "k" },
        refused(Code.NotFound, "key could not be found", "COMMAND-4m77G"),
        userWrite,
      ],
      ["AddSecret", {}, missing("GATE-S3cnf", Code.FailedPrecondition), userWrite],
      ["RemoveSecret", {}, missing("GATE-S3cnf", Code.FailedPrecondition), userWrite],
      ["ListAuthenticationMethodTypes", {}, missing("QUERY-Dfbg2"), userRead],
      ["ListAuthenticationFactors", {}, missing("QUERY-Dfbg2"), userRead],
    ];

    test.each(calls)(
      "%s %j tells those only who may act on any user",
      async (method, more, expected, told) => {
        for (const [kind, caller] of callers) {
          const mayKnow = told.includes(kind) && kind.startsWith("IAM_");
          expect(await refusal(caller(method, { userId: unknown, ...more })), kind).toEqual(
            mayKnow ? expected : permissionDenied,
          );
        }
      },
    );
  });

  describe("without the right a foreign user looks like none:", () => {
    /** Every call that names a user, as its request without the id. */
    const calls: [method: Method, more: JsonObject][] = [
      ["GetUserByID", {}],
      ["UpdateUser", {}],
      ["UpdateUser", { username: "x" }],
      ["UpdateUser", { human: { profile: { nickName: "x" } } }],
      ["UpdateUser", { machine: { name: "x" } }],
      ["UpdateUser", { human: { email: { email: "not an address" } } }],
      ["UpdateUser", { human: { password: { password: newPassword, currentPassword: PASSWORD } } }],
      ["UpdateUser", { human: { password: { password: newPassword, verificationCode: "ABC123" } } }],
      ["UpdateHumanUser", {}],
      ["UpdateHumanUser", { profile: { givenName: "x", familyName: "y" } }],
      ["UpdateHumanUser", { password: { password: newPassword } }],
      ["DeleteUser", {}],
      ["LockUser", {}],
      ["UnlockUser", {}],
      ["DeactivateUser", {}],
      ["ReactivateUser", {}],
      ["SetPassword", { newPassword }],
      ["SetPassword", { newPassword, currentPassword: PASSWORD }],
      ["SetPassword", { newPassword, currentPassword: "Wrong-Horse-8" }],
      ["SetPassword", { newPassword, verificationCode: "ABC123" }],
      ["SetPassword", { newPassword: { password: "weak" }, verificationCode: "ABC123" }],
      ["SetPassword", { verificationCode: "ABC123" }],
      ["SetPassword", {}],
      ["AddPersonalAccessToken", { expirationDate: FAR }],
      ["AddPersonalAccessToken", { expirationDate: "2020-01-01T00:00:00Z" }],
      ["RemovePersonalAccessToken", { tokenId: "no-such-token" }],
      ["AddKey", { expirationDate: FAR }],
      ["AddKey", { expirationDate: "2020-01-01T00:00:00Z", publicKey: "AAAA" }],
      ["RemoveKey", { keyId: "no-such-key" }],
      ["AddSecret", {}],
      ["RemoveSecret", {}],
      ["ListAuthenticationMethodTypes", {}],
      ["ListAuthenticationFactors", {}],
      ["CreateAdministrator", { resource: { instance: true }, roles: ["IAM_OWNER"] }],
      ["UpdateAdministrator", { resource: { instance: true }, roles: ["IAM_OWNER"] }],
      ["DeleteAdministrator", { resource: { instance: true } }],
    ];

    /** Ids of the users there are, and one of nobody. */
    const foreign: Record<string, string> = {};
    let strangers: [string, string][] = [];
    beforeAll(async () => {
      const add = async (what: string, ...acts: Method[]) => {
        const human = person(freshName(), { hashedPassword });
        const { id } = await ask("CreateUser", { organizationId: cast.strict.id, human });
        for (const act of acts) await ask(act, { userId: id! });
        foreign[what] = id as string;
      };
      await add("a person");
      await add("a locked person", "LockUser");
      await add("an inactive person", "DeactivateUser");
      await add("a removed person", "DeleteUser");
      foreign["a service account"] = (await newBot(cast.strict.id)).id;
      const administrator = await newBot(cast.strict.id);
      await grant(administrator.id, onInstance(), "IAM_OWNER_VIEWER");
      foreign["an administrator"] = administrator.id;
      const { sessionToken } = await house.as(cast.loginClient).createSession({ checks: signIn(cast.mia) });
      strangers = [
        ["a service account without roles", cast.nobody.token],
        ["another organization's owner", cast.orgOwner.token],
        ["a person by a session", sessionToken],
      ];
    });

    /** All that comes back but the request's own id and the time. */
    const rawAnswer = async (token: string, method: Method, request: JsonObject) => {
      const service = method.endsWith("Administrator")
        ? "zitadel.internal_permission.v2.InternalPermissionService"
        : "zitadel.user.v2.UserService";
      const answer = await fetch(`${house.url}/${service}/${method}`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
        body: JSON.stringify(request),
      });
      const { "x-request-id": requestId, date, ...headers } = Object.fromEntries(answer.headers);
      expect([requestId, date]).not.toContain(undefined);
      return { status: answer.status, headers, body: await answer.text() };
    };

    test.each(calls)("%s %j", async (method, more) => {
      for (const [who, token] of strangers) {
        const ofNobody = await rawAnswer(token, method, { userId: "nobody-of-that-id", ...more });
        expect(ofNobody.status, who).not.toBe(200);
        for (const [what, userId] of Object.entries(foreign)) {
          expect(await rawAnswer(token, method, { userId, ...more }), `${who}, ${what}`).toEqual(ofNobody);
        }
      }
    });

    test("and an organization that is none like one that is somebody else's", async () => {
      for (const [who, token] of strangers) {
        const into = (organizationId: string) =>
          rawAnswer(token, "CreateUser", { organizationId, machine: { name: "x" } });
        const ofNobody = await into("nowhere");
        expect(ofNobody.status, who).toBe(403);
        expect(await into(cast.strict.id), who).toEqual(ofNobody);
        const on = (organizationId: string) =>
          rawAnswer(token, "CreateAdministrator", {
            userId: cast.nobody.id,
            resource: { organizationId },
            roles: ["ORG_OWNER"],
          });
        expect(await on(cast.strict.id), who).toEqual(await on("nowhere"));
      }
    });
  });

  describe("a credential that is worth nothing", () => {
    const methods = [...new Set([...table, ...lists].map(({ method }) => method))];
    const headerMissing: Refusal = { code: Code.Unauthenticated, message: "auth header missing" };

    test.each(methods)("%s is refused before its message is looked at", async (method) => {
      // No request of this method is valid as empty as this but the lists'.
      expect(await refusal(asking(house, undefined, "Connect")(method))).toEqual(headerMissing);
      for (const token of [
        "nobodys",
        cast.expired.token,
        cast.lockedOwner.token,
        `gatehouse_pat_${"A".repeat(43)}`,
      ]) {
        expect(await refusal(asking(house, { token })(method))).toEqual(unauthenticated);
      }
    });

    test.each(methods)("%s is refused to a session in which nothing was proven", async (method) => {
      const { sessionToken } = await house
        .as(cast.loginClient)
        .createSession({ checks: { user: { search: { case: "userId", value: cast.mia.id } } } });
      expect(await refusal(asking(house, { token: sessionToken })(method))).toEqual(
        refused(Code.PermissionDenied, "authentication required", "AUTHZ-Kl3p0"),
      );
    });

    test.each(methods)("%s is refused in an organization that does not exist", async (method) => {
      expect(await refusal(ask(method, {}, { "x-zitadel-orgid": "nowhere" }))).toEqual(
        refused(Code.PermissionDenied, "Organisation doesn't exist", "AUTH-Bs7Ds"),
      );
    });
  });

  test("a role held elsewhere is of no use in an organization named by the header", async () => {
    const headers = { "x-zitadel-orgid": cast.home.id };
    const call = asking(house, cast.otherOrgOwner);
    expect(await refusal(call("GetUserByID", { userId: cast.mia.id }, headers))).toEqual(permissionDenied);
    expect(await refusal(call("AddHumanUser", person(freshName()), headers))).toEqual(methodDenied);
  });
});
