import { argon2Sync, pbkdf2Sync, scryptSync } from "node:crypto";
import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { hashSync } from "bcryptjs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Refusal, refusalOf, refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { type Cast, type House, PASSWORD, signIn, startHouse, userRow } from "../../support/fixtures.ts";
import { type Protocol, protocolsOn } from "../protocols.ts";
import {
  asking,
  type Call,
  code,
  details,
  idsOf,
  type Method,
  permissionDenied,
  person,
  refusal,
  time,
  unauthenticated,
  uuid,
} from "./wire.ts";

const notFound = refused(Code.NotFound, "user could not be found", "QUERY-Dfbg2");
const nameTaken = refused(Code.AlreadyExists, "user already exists", "V3-DKcYh");
const idTaken = refused(Code.FailedPrecondition, "user already exists", "COMMAND-7yiox1isql");
const unknownOrganization = refused(Code.PermissionDenied, "Organisation doesn't exist", "AUTH-Bs7Ds");
const invalid = (text: string, id: string) => refused(Code.InvalidArgument, text, id);
const rule = (message: string): Refusal => ({ code: Code.InvalidArgument, message });
const length = (least: number, most: number) =>
  least === 0
    ? `value length must be at most ${most} runes`
    : `value length must be between ${least} and ${most} runes, inclusive`;
const inside = (...steps: string[]) =>
  steps
    .map((step, index) =>
      index < steps.length - 1 ? `invalid ${step}: embedded message failed validation` : `invalid ${step}`,
    )
    .join(" | caused by: ");
const x = (count: number) => "x".repeat(count);

describe.each(engines)("users on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let ask: Call;
  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
    ask = (...call) => asking(house, cast.owner)(...call);
  });
  afterAll(() => house.close());

  const read = async (userId: string) => (await ask("GetUserByID", { userId })).user as JsonObject;
  const addHuman = (name: string, changes: JsonObject = {}, human: JsonObject = {}) =>
    ask("CreateUser", {
      organizationId: cast.home.id,
      userId: name,
      human: person(name, human),
      ...changes,
    });
  const addBot = (userId: string, changes: JsonObject = {}) =>
    ask("CreateUser", { organizationId: cast.home.id, userId, machine: { name: userId }, ...changes });
  const signInAs = (id: string, password?: string) =>
    house.as(cast.loginClient).createSession({ checks: signIn({ id }, password) });

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    const name = (text: string) => `${text}-${protocol.toLowerCase()}`;
    const call: Call = (...args) => asking(house, cast.owner, protocol)(...args);

    test("a person is created, and everything that was said of it is read back", async () => {
      const [userId, username] = [name("full"), name("Full.User")];
      const created = await call("CreateUser", {
        organizationId: cast.elsewhere.id,
        userId,
        username,
        human: {
          profile: {
            givenName: "Ada",
            familyName: "Lovelace",
            nickName: "Countess",
            displayName: "Ada L.",
            preferredLanguage: "en",
            gender: "GENDER_FEMALE",
          },
          email: { email: `${userId}@example.com`, returnCode: {} },
          phone: { phone: "+41791234567", isVerified: true },
          password: { password: PASSWORD, changeRequired: true },
        },
      });
      expect(created).toEqual({ id: userId, creationDate: time, emailCode: code });
      const common = {
        userId,
        state: "USER_STATE_ACTIVE",
        username,
        loginNames: [username],
        preferredLoginName: username,
      };
      const stored = details(3, cast.elsewhere.id);
      const answer = await call("GetUserByID", { userId });
      expect(answer).toEqual({
        details: stored,
        user: {
          ...common,
          details: stored,
          human: {
            ...common,
            profile: {
              givenName: "Ada",
              familyName: "Lovelace",
              nickName: "Countess",
              displayName: "Ada L.",
              preferredLanguage: "en",
              gender: "GENDER_FEMALE",
            },
            email: { email: `${userId}@example.com` },
            phone: { phone: "+41791234567", isVerified: true },
            passwordChangeRequired: true,
            passwordChanged: created.creationDate,
          },
        },
      });
      expect((answer.details as JsonObject).creationDate).toBe(created.creationDate);
    });

    test("a person of whom only the least was said gets an id, a user name and a display name", async () => {
      const { id, ...rest } = await call("CreateUser", {
        organizationId: cast.home.id,
        human: person(name("least")),
      });
      expect(id).toEqual(uuid);
      expect(rest).toEqual({ creationDate: time });
      const user = await read(id as string);
      const username = `${name("least")}@example.com`;
      const common = {
        userId: id,
        state: "USER_STATE_ACTIVE",
        username,
        loginNames: [username],
        preferredLoginName: username,
      };
      expect(user).toEqual({
        ...common,
        details: details(2, cast.home.id),
        human: {
          ...common,
          profile: {
            givenName: name("least"),
            familyName: "Example",
            displayName: `${name("least")} Example`,
          },
          email: { email: username, isVerified: true },
        },
      });
    });

    test("a service account is created and read back; without a user name its id is it", async () => {
      const userId = name("bot");
      expect(
        await call("CreateUser", {
          organizationId: cast.home.id,
          userId,
          machine: { name: "A bot", description: "does things", accessTokenType: "ACCESS_TOKEN_TYPE_JWT" },
        }),
      ).toEqual({ id: userId, creationDate: time });
      const stored = details(1, cast.home.id);
      expect(await call("GetUserByID", { userId })).toEqual({
        details: stored,
        user: {
          userId,
          details: stored,
          state: "USER_STATE_ACTIVE",
          username: userId,
          loginNames: [userId],
          preferredLoginName: userId,
          machine: {
            name: "A bot",
            description: "does things",
            accessTokenType: "ACCESS_TOKEN_TYPE_JWT",
          },
        },
      });
    });

    test("a person is added the older way, with details and both codes", async () => {
      const userId = name("older");
      const human = person(userId, {
        userId,
        email: { email: `${userId}@example.com`, returnCode: {} },
        phone: { phone: "+41791234568", returnCode: {} },
        metadata: [{ key: "team", value: "Ymx1ZQ==" }],
        organization: { orgId: cast.elsewhere.id },
      });
      expect(await call("AddHumanUser", human)).toEqual({
        userId,
        details: details(4, cast.elsewhere.id),
        emailCode: code,
        phoneCode: code,
      });
      expect((await read(userId)).human).toMatchObject({
        email: { email: `${userId}@example.com` },
        phone: { phone: "+41791234568" },
      });
    });

    test("a person is changed where something is given, and nowhere else", async () => {
      const userId = name("change");
      await addHuman(userId, {}, { profile: { givenName: "A", familyName: "B", nickName: "N" } });
      const changed = await call("UpdateUser", {
        userId,
        username: name("changed"),
        human: { profile: { familyName: "Z", gender: "GENDER_DIVERSE" }, phone: { phone: "+41791234569" } },
      });
      expect(changed).toEqual({ changeDate: time });
      const user = await read(userId);
      expect(user).toMatchObject({
        username: name("changed"),
        loginNames: [name("changed")],
        details: { changeDate: changed.changeDate },
      });
      expect(user.human).toMatchObject({
        profile: {
          givenName: "A",
          familyName: "Z",
          nickName: "N",
          displayName: "A B",
          gender: "GENDER_DIVERSE",
        },
        email: { email: `${userId}@example.com`, isVerified: true },
        phone: { phone: "+41791234569" },
      });
    });

    test("a person is changed the older way, with details", async () => {
      const userId = name("change-older");
      await addHuman(userId);
      expect(
        await call("UpdateHumanUser", {
          userId,
          profile: { givenName: "New", familyName: "Name" },
          email: { email: `new-${userId}@example.com`, returnCode: {} },
        }),
      ).toEqual({ details: details(5, cast.home.id), emailCode: code });
      expect((await read(userId)).human).toMatchObject({
        profile: { givenName: "New", familyName: "Name", displayName: `${userId} Example` },
        email: { email: `new-${userId}@example.com` },
      });
    });

    test("a service account is changed", async () => {
      const userId = name("bot-change");
      await addBot(userId, { machine: { name: "Old", description: "stays" } });
      await call("UpdateUser", { userId, machine: { name: "New" } });
      expect((await read(userId)).machine).toEqual({ name: "New", description: "stays" });
    });

    test("a user is removed once and is gone", async () => {
      const userId = name("gone");
      await addHuman(userId);
      expect(await call("DeleteUser", { userId })).toEqual({ details: details(3, cast.home.id) });
      expect(await refusal(call("GetUserByID", { userId }))).toEqual(notFound);
      expect(await refusal(call("DeleteUser", { userId }))).toEqual(
        refused(Code.NotFound, "user could not be found", "COMMAND-bd4ir1mblj"),
      );
    });

    test("refusals carry their id, and broken rules their field", async () => {
      expect(await refusal(call("GetUserByID", { userId: "nobody-of-that-id" }))).toEqual(notFound);
      expect(await refusal(call("GetUserByID", { userId: x(201) }))).toEqual(
        rule(`invalid GetUserByIDRequest.UserId: ${length(1, 200)}`),
      );
      expect(await refusal(addHuman(name("dup")).then(() => addHuman(name("dup"))))).toEqual(idTaken);
    });
  });

  describe("what a request may not be", () => {
    const human = (changes: JsonObject) => ({
      organizationId: "o",
      human: person("never", changes),
    });
    const profile = (changes: JsonObject) =>
      human({ profile: { givenName: "G", familyName: "F", ...changes } });
    const machine = (changes: JsonObject) => ({ organizationId: "o", machine: { name: "m", ...changes } });
    const inHuman = "CreateUserRequest.Human";
    const H = "CreateUserRequest_Human";

    test.each<[method: Method, request: JsonObject, message: string]>([
      [
        "CreateUser",
        { machine: { name: "m" } },
        `invalid CreateUserRequest.OrganizationId: ${length(1, 200)}`,
      ],
      [
        "CreateUser",
        { ...machine({}), organizationId: x(201) },
        `invalid CreateUserRequest.OrganizationId: ${length(1, 200)}`,
      ],
      ["CreateUser", { ...machine({}), userId: "" }, `invalid CreateUserRequest.UserId: ${length(1, 200)}`],
      [
        "CreateUser",
        { ...machine({}), userId: x(201) },
        `invalid CreateUserRequest.UserId: ${length(1, 200)}`,
      ],
      [
        "CreateUser",
        { ...machine({}), username: "" },
        `invalid CreateUserRequest.Username: ${length(1, 200)}`,
      ],
      ["CreateUser", { organizationId: "o" }, "invalid CreateUserRequest.UserType: value is required"],
      [
        "CreateUser",
        { organizationId: "o", human: { email: { email: "a@b.c" } } },
        `${inside(inHuman, `${H}.Profile`)}: value is required`,
      ],
      [
        "CreateUser",
        { organizationId: "o", human: { profile: { givenName: "G", familyName: "F" } } },
        `${inside(inHuman, `${H}.Email`)}: value is required`,
      ],
      [
        "CreateUser",
        profile({ givenName: "" }),
        `${inside(inHuman, `${H}.Profile`, "SetHumanProfile.GivenName")}: ${length(1, 200)}`,
      ],
      [
        "CreateUser",
        profile({ familyName: x(201) }),
        `${inside(inHuman, `${H}.Profile`, "SetHumanProfile.FamilyName")}: ${length(1, 200)}`,
      ],
      [
        "CreateUser",
        profile({ nickName: x(201) }),
        `${inside(inHuman, `${H}.Profile`, "SetHumanProfile.NickName")}: ${length(0, 200)}`,
      ],
      [
        "CreateUser",
        profile({ displayName: x(201) }),
        `${inside(inHuman, `${H}.Profile`, "SetHumanProfile.DisplayName")}: ${length(0, 200)}`,
      ],
      [
        "CreateUser",
        profile({ preferredLanguage: x(11) }),
        `${inside(inHuman, `${H}.Profile`, "SetHumanProfile.PreferredLanguage")}: ${length(0, 10)}`,
      ],
      [
        "CreateUser",
        human({ email: { email: "" } }),
        `${inside(inHuman, `${H}.Email`, "SetHumanEmail.Email")}: ${length(1, 200)}`,
      ],
      [
        "CreateUser",
        human({ email: { email: "a@b.c", sendCode: { urlTemplate: "" } } }),
        `${inside(inHuman, `${H}.Email`, "SetHumanEmail.SendCode", "SendEmailVerificationCode.UrlTemplate")}: ${length(1, 200)}`,
      ],
      [
        "CreateUser",
        human({ phone: { phone: x(201) } }),
        `${inside(inHuman, `${H}.Phone`, "SetHumanPhone.Phone")}: ${length(0, 200)}`,
      ],
      [
        "CreateUser",
        human({ phone: { phone: "+41791234567", isVerified: false } }),
        `${inside(inHuman, `${H}.Phone`, "SetHumanPhone.IsVerified")}: value must equal true`,
      ],
      [
        "CreateUser",
        human({ password: { password: x(201) } }),
        `${inside(inHuman, `${H}.Password`, "Password.Password")}: ${length(1, 200)}`,
      ],
      [
        "CreateUser",
        human({ hashedPassword: { hash: "" } }),
        `${inside(inHuman, `${H}.HashedPassword`, "HashedPassword.Hash")}: ${length(1, 200)}`,
      ],
      [
        "CreateUser",
        human({ idpLinks: [{ idpId: "", userId: "u", userName: "n" }] }),
        `${inside(inHuman, `${H}.IdpLinks[0]`, "IDPLink.IdpId")}: ${length(1, 200)}`,
      ],
      ["CreateUser", human({ totpSecret: "" }), `${inside(inHuman, `${H}.TotpSecret`)}: ${length(1, 200)}`],
      [
        "CreateUser",
        machine({ name: "" }),
        `${inside("CreateUserRequest.Machine", "CreateUserRequest_Machine.Name")}: ${length(1, 200)}`,
      ],
      [
        "CreateUser",
        machine({ description: x(501) }),
        `${inside("CreateUserRequest.Machine", "CreateUserRequest_Machine.Description")}: ${length(1, 500)}`,
      ],
      [
        "CreateUser",
        machine({ accessTokenType: 99 }),
        `${inside("CreateUserRequest.Machine", "CreateUserRequest_Machine.AccessTokenType")}: value must be one of the defined enum values`,
      ],
      [
        "CreateUser",
        { ...machine({}), metadata: [{ key: "k" }, { key: "" }] },
        `${inside("CreateUserRequest.Metadata[1]", "Metadata.Key")}: ${length(1, 200)}`,
      ],
      [
        "CreateUser",
        { ...machine({}), metadata: [{ key: "k", value: Buffer.alloc(500_001).toString("base64") }] },
        `${inside("CreateUserRequest.Metadata[0]", "Metadata.Value")}: value must be at most 500000 bytes`,
      ],
      [
        "AddHumanUser",
        person("never", { metadata: [{ key: "k", value: "" }] }),
        `${inside("AddHumanUserRequest.Metadata[0]", "SetMetadataEntry.Value")}: value must be at least 1 bytes`,
      ],
      [
        "AddHumanUser",
        person("never", { userId: x(201) }),
        `invalid AddHumanUserRequest.UserId: ${length(1, 200)}`,
      ],
      ["UpdateUser", { userId: "u", username: "" }, `invalid UpdateUserRequest.Username: ${length(1, 200)}`],
      [
        "UpdateUser",
        { userId: "u", human: { profile: { nickName: "" } } },
        `${inside("UpdateUserRequest.Human", "UpdateUserRequest_Human.Profile", "UpdateUserRequest_Human_Profile.NickName")}: ${length(1, 200)}`,
      ],
      [
        "UpdateUser",
        { userId: "u", human: { profile: { gender: 99 } } },
        `${inside("UpdateUserRequest.Human", "UpdateUserRequest_Human.Profile", "UpdateUserRequest_Human_Profile.Gender")}: value must be one of the defined enum values`,
      ],
      [
        "UpdateUser",
        { userId: "u", human: { password: { verificationCode: x(21) } } },
        `${inside("UpdateUserRequest.Human", "UpdateUserRequest_Human.Password", "SetPassword.VerificationCode")}: ${length(1, 20)}`,
      ],
      [
        "UpdateUser",
        { userId: "u", machine: { name: x(201) } },
        `${inside("UpdateUserRequest.Machine", "UpdateUserRequest_Machine.Name")}: ${length(0, 200)}`,
      ],
      [
        "UpdateHumanUser",
        { userId: "u", profile: { givenName: "G" } },
        `${inside("UpdateHumanUserRequest.Profile", "SetHumanProfile.FamilyName")}: ${length(1, 200)}`,
      ],
    ])("%s %o", async (method, request, message) => {
      expect(await refusal(ask(method, request))).toEqual(rule(message));
    });

    test.each<Method>([
      "GetUserByID",
      "UpdateUser",
      "UpdateHumanUser",
      "DeleteUser",
      "DeactivateUser",
      "ReactivateUser",
      "LockUser",
      "UnlockUser",
      "SetPassword",
    ])("%s without an id, or with one too long", async (method) => {
      const expected = rule(`invalid ${method}Request.UserId: ${length(1, 200)}`);
      expect(await refusal(ask(method, {}))).toEqual(expected);
      expect(await refusal(ask(method, { userId: x(201) }))).toEqual(expected);
    });

    test("an id of two hundred characters that are no letters is fine, over REST too", async () => {
      const userId = "ä/%?".repeat(50);
      await addBot(userId);
      const answer = await asking(house, cast.owner, "REST")("GetUserByID", { userId });
      expect(answer.user).toMatchObject({ userId });
    });
  });

  describe("an id that is a word of the paths", () => {
    test.each(["new", "human", "pats", "search", "lock"])(
      "%s is an id like any other over REST",
      async (userId) => {
        await addBot(userId);
        const rest = asking(house, cast.owner, "REST");
        expect((await rest("GetUserByID", { userId })).user).toMatchObject({ userId });
        await rest("UpdateUser", { userId, machine: { name: "changed" } });
        expect((await read(userId)).machine).toMatchObject({ name: "changed" });
        expect(await refusal(rest("UpdateHumanUser", { userId }))).toMatchObject({ id: "GATE-Us3rt" });
        expect(await refusal(rest("SetPassword", { userId }))).toMatchObject({ id: "COMMAND-G8dh3" });
        for (const act of ["LockUser", "UnlockUser", "DeactivateUser", "ReactivateUser"] as const) {
          expect(await rest(act, { userId })).toHaveProperty("details");
        }
        const { tokenId } = await rest("AddPersonalAccessToken", {
          userId,
          expirationDate: "2100-01-01T00:00:00Z",
        });
        expect(await rest("RemovePersonalAccessToken", { userId, tokenId: tokenId! })).toEqual({
          deletionDate: time,
        });
        expect(await rest("DeleteUser", { userId })).toHaveProperty("details");
        expect(await refusal(rest("GetUserByID", { userId }))).toEqual(notFound);
      },
    );
  });

  describe("who is refused leaves nothing behind", () => {
    const word = (password: string) => ({ password: { password } });
    const hash = (text: string) => ({ hashedPassword: { hash: text } });
    const profile = { givenName: "G", familyName: "F" };
    const unsupported = invalid("password hash is of an unsupported kind", "CRYPT-2xK7d");
    const outOfBounds = invalid("password hash has parameters out of bounds", "CRYPT-5uV9n");
    const malformed = invalid("password hash is malformed", "CRYPT-r8Qm2");
    const salt = "c2FsdHNhbHRzYWx0";
    const sum = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE";

    test.each<[human: JsonObject, expected: Refusal]>([
      [{ email: { email: "  " } }, invalid("e-mail address is empty", "EMAIL-spblu")],
      [{ email: { email: "not an address" } }, invalid("e-mail address is invalid", "EMAIL-599BI")],
      [{ email: { email: "two@at@example.com" } }, invalid("e-mail address is invalid", "EMAIL-599BI")],
      [{ phone: { phone: "not a number" } }, invalid("phone number is invalid", "PHONE-so0wa")],
      [{ phone: { phone: "12" } }, invalid("phone number is invalid", "PHONE-so0wa")],
      [{ profile: { ...profile, givenName: " " } }, invalid("given name is empty", "USER-UCej2")],
      [{ profile: { ...profile, familyName: " " } }, invalid("family name is empty", "USER-4hB7d")],
      [word("Short-1"), invalid("password is too short", "DOMAIN-HuJf6")],
      [word("NO-LOWER-1"), invalid("password needs a lower case letter", "DOMAIN-co3Xw")],
      [word("no-upper-1"), invalid("password needs an upper case letter", "DOMAIN-VoaRj")],
      [word("No-Number-Here"), invalid("password needs a number", "DOMAIN-ZBv4H")],
      [word("NoSymbol123"), invalid("password needs a symbol", "DOMAIN-ZDLwA")],
      [hash("$md5$salt$hash"), unsupported],
      [hash("$6$salt$hash"), unsupported],
      [hash(`$argon2id$m=64,t=1,p=1$${salt}$${sum}`), unsupported],
      [hash(`$argon2id$v=19$m=999999,t=1,p=1$${salt}$${sum}`), outOfBounds],
      [hash(`$scrypt$ln=25,r=8,p=1$${salt}$${sum}`), outOfBounds],
      [hash(`$pbkdf2-sha256$99999999$${salt}$${sum}`), outOfBounds],
      [hash(`$2b$31$${x(53)}`), outOfBounds],
      [hash("5f4dcc3b5aa765d61d8327deb882cf99"), malformed],
      [hash(`$argon2id$v=19$m=64$${salt}$${sum}`), malformed],
      [hash("$2b$10$short"), malformed],
      [
        { idpLinks: [{ idpId: "idp", userId: "u", userName: "n" }] },
        refused(Code.FailedPrecondition, "identity provider could not be found", "COMMAND-39nf2"),
      ],
      [{ totpSecret: "JBSWY3DP" }, invalid("TOTP secret is no base32 of at least 10 bytes", "GATE-T0tpS")],
    ])("for %j", async (human, expected) => {
      const userId = "refused";
      const before = (await ask("ListUsers")).details as JsonObject;
      expect(
        await refusal(
          ask("CreateUser", { organizationId: cast.home.id, userId, human: person(userId, human) }),
        ),
      ).toEqual(expected);
      expect(await refusal(ask("AddHumanUser", person(userId, { userId, ...human })))).toEqual(expected);
      expect(await refusal(ask("GetUserByID", { userId }))).toEqual(notFound);
      const after = (await ask("ListUsers")).details as JsonObject;
      expect(after.totalResult).toBe(before.totalResult);
    });

    test.each<[what: string, request: JsonObject, expected: Refusal]>([
      ["a blank user name", { username: " " }, invalid("user name is empty", "GATE-Us3rn")],
      ["a blank name", { machine: { name: " " } }, invalid("name is empty", "GATE-M4chn")],
      [
        "too many metadata",
        { metadata: Array.from({ length: 65 }, (_, index) => ({ key: `k${index}`, value: "dg==" })) },
        invalid("metadata exceeds 64 keys or 1 MiB in all", "GATE-Met4u"),
      ],
      [
        "an organization that is not there",
        { organizationId: "nowhere" },
        refused(Code.NotFound, "organization could not be found", "GATE-0rgNf"),
      ],
    ])("for a service account with %s", async (_, request, expected) => {
      expect(await refusal(addBot("refused-bot", request))).toEqual(expected);
      expect(await refusal(ask("GetUserByID", { userId: "refused-bot" }))).toEqual(notFound);
    });
  });

  describe("an id and a user name belong to one user", () => {
    test("whatever the case of the name, its blanks, and its organization", async () => {
      await addHuman("taken", { username: "Taken.Name" });
      for (const username of ["Taken.Name", "TAKEN.NAME", "  taken.name "]) {
        const request = { username, organizationId: cast.elsewhere.id };
        expect(await refusal(addBot("taker", request))).toEqual(nameTaken);
      }
      expect(await refusal(addHuman("taken", { username: "another" }))).toEqual(idTaken);
      await addBot("taker");
      expect(await refusal(ask("UpdateUser", { userId: "taker", username: "TAKEN.name" }))).toEqual(
        nameTaken,
      );
      expect((await read("taker")).username).toBe("taker");
    });

    test("also if two ask at once", async () => {
      const outcomes = async (calls: Promise<JsonObject>[]) => {
        const settled = await Promise.all(
          calls.map((call) => call.then(() => "created" as const).catch(() => refusal(call))),
        );
        expect(settled.filter((each) => each === "created")).toHaveLength(1);
        return settled.find((each) => each !== "created");
      };
      expect(
        await outcomes([addBot("race", { username: "race-1" }), addBot("race", { username: "race-2" })]),
      ).toEqual(idTaken);
      expect(
        await outcomes([addBot("race-3", { username: "racer" }), addBot("race-4", { username: "Racer" })]),
      ).toEqual(nameTaken);
    });

    test("until it is removed: then both are free, and nothing of the former user comes back", async () => {
      const withPassword = { password: { password: PASSWORD }, phone: { phone: "+41791234567" } };
      await addHuman("phoenix", { metadata: [{ key: "ashes", value: "dg==" }] }, withPassword);
      const { sessionId, sessionToken } = await signInAs("phoenix");
      await ask("DeleteUser", { userId: "phoenix" });
      await addHuman("phoenix", { organizationId: cast.elsewhere.id });

      expect(await read("phoenix")).toMatchObject({ state: "USER_STATE_ACTIVE" });
      expect((await read("phoenix")).details).toMatchObject({ resourceOwner: cast.elsewhere.id });
      expect((await read("phoenix")).human).not.toHaveProperty("phone");
      expect(await refusalOf(signInAs("phoenix"))).toMatchObject({ id: "COMMAND-3nJ4t" });
      expect(await refusalOf(house.as(cast.owner).getSession({ sessionId }))).toMatchObject({
        code: Code.NotFound,
        id: "QUERY-SFeaa",
      });
      expect(await refusal(asking(house, { token: sessionToken })("ListUsers"))).toMatchObject({
        code: Code.NotFound,
        id: "QUERY-SFeaa",
      });
      const byKey = { metadataKeyFilter: { key: "ashes" } };
      expect((await ask("ListUsers", { queries: [byKey] })).result).toBeUndefined();
    });

    test("and its tokens died with the former one", async () => {
      await addBot("reborn");
      const { token } = await ask("AddPersonalAccessToken", {
        userId: "reborn",
        expirationDate: "2100-01-01T00:00:00Z",
      });
      const bot = asking(house, { token: token as string });
      expect(idsOf((await bot("ListUsers")).result, "userId")).toEqual(["reborn"]);
      await ask("DeleteUser", { userId: "reborn" });
      expect(await refusal(bot("ListUsers"))).toEqual(unauthenticated);
      await addBot("reborn");
      expect(await refusal(bot("ListUsers"))).toEqual(unauthenticated);
    });
  });

  describe("e-mail addresses and phone numbers", () => {
    test("are kept without blanks; numbers as the world writes them, from Switzerland unless they say so", async () => {
      const numbers = [
        ["079 123 45 67", "+41791234567"],
        ["+49 (30) 123456", "+4930123456"],
        ["0044 20 7946 0958", "+442079460958"],
      ] as const;
      for (const [index, [given, kept]] of numbers.entries()) {
        const userId = `norm-${index}`;
        await addHuman(
          userId,
          {},
          {
            email: { email: `  Norm.${index}@Example.com ` },
            phone: { phone: given },
          },
        );
        const user = await read(userId);
        expect(user.human).toMatchObject({
          email: { email: `Norm.${index}@Example.com` },
          phone: { phone: kept },
        });
        expect(user.username).toBe(`Norm.${index}@Example.com`);
      }
    });

    test.each<[what: string, verification: JsonObject, isVerified: boolean, returned: boolean]>([
      ["nothing is said", {}, false, false],
      ["a code is to be sent", { sendCode: {} }, false, false],
      ["a code is to be returned", { returnCode: {} }, false, true],
      ["they are vouched for", { isVerified: true }, true, false],
    ])("where %s: verified and returned accordingly", async (what, verification, isVerified, returned) => {
      const userId = what.replaceAll(" ", "-");
      const created = await addHuman(
        userId,
        {},
        {
          email: { email: `${userId}@example.com`, ...verification },
          phone: { phone: "+41791234567", ...verification },
        },
      );
      expect(created).toEqual({
        id: userId,
        creationDate: time,
        ...(returned ? { emailCode: code, phoneCode: code } : {}),
      });
      const flag = isVerified ? { isVerified: true } : {};
      expect((await read(userId)).human).toMatchObject({
        email: { email: `${userId}@example.com`, ...flag },
        phone: { phone: "+41791234567", ...flag },
      });
      const { human } = (await read(userId)) as { human: { email: JsonObject } };
      expect("isVerified" in human.email).toBe(isVerified);
    });

    test("an e-mail address that is not vouched for stays unverified", async () => {
      await addHuman("unsure", {}, { email: { email: "unsure@example.com", isVerified: false } });
      expect((await read("unsure")).human).toMatchObject({ email: { email: "unsure@example.com" } });
      expect(((await read("unsure")).human as JsonObject).email).not.toHaveProperty("isVerified");
    });

    test("an empty number is no phone, and takes one away", async () => {
      await addHuman("phoneless", {}, { phone: { phone: "" } });
      expect((await read("phoneless")).human).not.toHaveProperty("phone");
      await ask("UpdateUser", { userId: "phoneless", human: { phone: { phone: "+41791234567" } } });
      expect((await read("phoneless")).human).toMatchObject({ phone: { phone: "+41791234567" } });
      await ask("UpdateUser", { userId: "phoneless", human: { phone: { phone: "" } } });
      expect((await read("phoneless")).human).not.toHaveProperty("phone");
    });

    test("a new one is unverified again, and codes come back for what changed", async () => {
      await addHuman("mover", {}, { phone: { phone: "+41791234567", isVerified: true } });
      const changed = await ask("UpdateUser", {
        userId: "mover",
        human: {
          email: { email: "moved@example.com", returnCode: {} },
          phone: { phone: "+41791234568", returnCode: {} },
        },
      });
      expect(changed).toEqual({ changeDate: time, emailCode: code, phoneCode: code });
      const human = (await read("mover")).human as JsonObject;
      expect(human.email).toEqual({ email: "moved@example.com" });
      expect(human.phone).toEqual({ phone: "+41791234568" });
    });
  });

  describe("a change", () => {
    test("of nothing changes nothing", async () => {
      await addHuman("same", { username: "same" }, { phone: { phone: "+41791234567", isVerified: true } });
      const before = await read("same");
      const human = {
        profile: { givenName: "same", familyName: "Example" },
        email: { email: "same@example.com" },
        phone: { phone: "079 123 45 67" },
      };
      await ask("UpdateUser", { userId: "same", username: "same", human });
      await ask("UpdateHumanUser", { userId: "same", username: "same", ...human });
      await ask("UpdateUser", { userId: "same" });
      expect(await read("same")).toEqual(before);
    });

    test("clears what may be empty, and the display name falls back to the names", async () => {
      await addHuman(
        "clear",
        {},
        {
          profile: { givenName: "Given", familyName: "Family", nickName: "Nick", displayName: "Shown" },
        },
      );
      await ask("UpdateHumanUser", {
        userId: "clear",
        profile: { givenName: "Given", familyName: "Changed", displayName: "", nickName: "" },
      });
      expect(((await read("clear")).human as JsonObject).profile).toEqual({
        givenName: "Given",
        familyName: "Changed",
        nickName: "",
        displayName: "Given Changed",
      });
    });

    test("of the other kind of user is refused", async () => {
      await addHuman("kind-human");
      await addBot("kind-bot");
      const mismatch = refused(Code.FailedPrecondition, "user is of another type", "GATE-Us3rt");
      expect(await refusal(ask("UpdateUser", { userId: "kind-human", machine: { name: "m" } }))).toEqual(
        mismatch,
      );
      expect(await refusal(ask("UpdateUser", { userId: "kind-bot", human: {} }))).toEqual(mismatch);
      expect(await refusal(ask("UpdateHumanUser", { userId: "kind-bot" }))).toEqual(mismatch);
      expect((await ask("UpdateUser", { userId: "kind-bot", username: "Kind.Bot" })).changeDate).toEqual(
        time,
      );
      expect((await read("kind-bot")).username).toBe("Kind.Bot");
    });

    test("that is refused in one part is refused as a whole", async () => {
      await addHuman("whole");
      const before = await read("whole");
      const call = ask("UpdateUser", {
        userId: "whole",
        username: "whole-2",
        human: { profile: { givenName: "New" }, phone: { phone: "12" } },
      });
      expect(await refusal(call)).toEqual(invalid("phone number is invalid", "PHONE-so0wa"));
      expect(await read("whole")).toEqual(before);
    });

    test("of a password: by permission, or with the current one", async () => {
      await addHuman("word", {}, { password: { password: PASSWORD } });
      const next = (password: string, more: JsonObject = {}) =>
        ask("UpdateUser", { userId: "word", human: { password: { password: { password }, ...more } } });
      await next("Battery-Staple-2");
      expect(await refusalOf(signInAs("word"))).toMatchObject({ id: "COMMAND-3M0fs", failedAttempts: 1 });
      await signInAs("word", "Battery-Staple-2");
      expect(await refusal(next("Third-Word-3", { currentPassword: PASSWORD }))).toMatchObject({
        id: "COMMAND-3M0fs",
        failedAttempts: 1,
      });
      await next("Third-Word-3", { currentPassword: "Battery-Staple-2" });
      await signInAs("word", "Third-Word-3");
      expect(await refusal(next("weak"))).toEqual(invalid("password is too short", "DOMAIN-HuJf6"));
    });

    test("of a user name moves the login with it", async () => {
      await addHuman("renamed", { username: "before-it" }, { password: { password: PASSWORD } });
      await ask("UpdateUser", { userId: "renamed", username: "After.It" });
      const login = (loginName: string) =>
        house.as(cast.loginClient).createSession({
          checks: {
            user: { search: { case: "loginName", value: loginName } },
            password: { password: PASSWORD },
          },
        });
      expect(await refusalOf(login("before-it"))).toMatchObject({ code: Code.NotFound });
      const { sessionId } = await login("after.it");
      const { session } = await house.as(cast.owner).getSession({ sessionId });
      expect(session!.factors!.user!.loginName).toBe("After.It");
    });
  });

  describe("the organization of a person added the older way", () => {
    const add = async (
      userId: string,
      organization: JsonObject | undefined,
      headers: Record<string, string> = {},
      who: { token: string } = cast.owner,
      protocol: Protocol = "gRPC",
    ) => {
      const request = person(userId, { userId, ...(organization ? { organization } : {}) });
      const { details: made } = await asking(house, who, protocol)("AddHumanUser", request, headers);
      return (made as JsonObject).resourceOwner;
    };
    const inHeader = (id: string) => ({ "x-zitadel-orgid": id });

    test("is the one named by its id, or by its domain whatever its case", async () => {
      expect(await add("org-1", { orgId: cast.elsewhere.id })).toBe(cast.elsewhere.id);
      expect(await add("org-2", { orgDomain: "Elsewhere.LOCALHOST" })).toBe(cast.elsewhere.id);
    });

    test.each(protocolsOn(engine))(
      "or the header's, which the request's own overrules, over %s",
      async (protocol) => {
        const headers = inHeader(cast.elsewhere.id);
        expect(await add(`org-3-${protocol}`, undefined, headers, cast.owner, protocol)).toBe(
          cast.elsewhere.id,
        );
        expect(await add(`org-4-${protocol}`, { orgId: cast.strict.id }, headers, cast.owner, protocol)).toBe(
          cast.strict.id,
        );
      },
    );

    test("or the caller's own", async () => {
      expect(await add("org-5", undefined)).toBe(cast.home.id);
      expect(await add("org-6", {}, {}, cast.orgOwner)).toBe(cast.home.id);
    });

    test("has to exist", async () => {
      expect(await refusal(add("org-7", { orgId: "nowhere" }))).toEqual(unknownOrganization);
      expect(await refusal(add("org-7", { orgDomain: "nowhere.localhost" }))).toEqual(unknownOrganization);
      expect(await refusal(add("org-7", undefined, inHeader("nowhere")))).toEqual(unknownOrganization);
      expect(await refusal(ask("GetUserByID", { userId: "org-7" }))).toEqual(notFound);
    });

    test("is one the caller may write users in, not just any", async () => {
      const denied = {
        ...permissionDenied,
        id: "AUTH-5mWD2",
        message: "No matching permissions found (AUTH-5mWD2)",
      };
      expect(await refusal(add("org-8", { orgId: cast.elsewhere.id }, {}, cast.orgOwner))).toEqual(denied);
      expect(await refusal(add("org-8", undefined, inHeader(cast.elsewhere.id), cast.orgOwner))).toEqual(
        denied,
      );
      // Where the caller is owner, though living elsewhere.
      expect(await add("org-8", { orgId: cast.elsewhere.id }, {}, cast.otherOrgOwner)).toBe(
        cast.elsewhere.id,
      );
      expect(await refusal(add("org-9", undefined, {}, cast.otherOrgOwner))).toEqual(denied);
    });
  });

  describe("metadata", () => {
    const having = async (key: string) =>
      idsOf((await ask("ListUsers", { queries: [{ metadataKeyFilter: { key } }] })).result, "userId");

    test("come with a user of either kind, and change key by key; an empty value takes a key away", async () => {
      await addBot("meta-bot", {
        metadata: [
          { key: "red", value: "MQ==" },
          { key: "blue", value: "Mg==" },
        ],
      });
      await addHuman("meta-human", {}, { metadata: [{ key: "red", value: "MQ==" }] });
      expect(await having("red")).toEqual(["meta-human", "meta-bot"]);
      await ask("UpdateUser", {
        userId: "meta-bot",
        metadata: [{ key: "red" }, { key: "green", value: "Mw==" }],
      });
      expect(await having("red")).toEqual(["meta-human"]);
      expect(await having("blue")).toEqual(["meta-bot"]);
      expect(await having("green")).toEqual(["meta-bot"]);
    });

    test("may have any key, and no more than sixty-four of them", async () => {
      const entries = (count: number) =>
        Array.from({ length: count }, (_, index) => ({ key: `key-${index}`, value: "dg==" }));
      await addBot("meta-keys", { metadata: [{ key: "__proto__", value: "MQ==" }, ...entries(63)] });
      expect(await having("__proto__")).toEqual(["meta-keys"]);
      const one = (key: string, value: string) =>
        ask("UpdateUser", { userId: "meta-keys", metadata: [{ key, value }] });
      expect(await refusal(one("constructor", "MQ=="))).toEqual(
        invalid("metadata exceeds 64 keys or 1 MiB in all", "GATE-Met4u"),
      );
      await one("__proto__", "");
      expect(await having("__proto__")).toEqual([]);
      await one("constructor", "MQ==");
      expect(await having("constructor")).toEqual(["meta-keys"]);
    });

    test("are searched by key, which no character of a pattern means more to than itself", async () => {
      await addBot("meta-a", { metadata: [{ key: "rate_50%", value: "MQ==" }] });
      await addBot("meta-b", { metadata: [{ key: "rateX500", value: "MQ==" }] });
      const by = async (key: string, method: string) =>
        idsOf(
          (
            await ask("ListUsers", {
              query: { asc: true },
              queries: [{ metadataKeyFilter: { key, method: `TEXT_FILTER_METHOD_${method}` } }],
            })
          ).result,
          "userId",
        );
      expect(await by("rate", "STARTS_WITH")).toEqual(["meta-a", "meta-b"]);
      expect(await by("rate_", "STARTS_WITH")).toEqual(["meta-a"]);
      expect(await by("50%", "ENDS_WITH")).toEqual(["meta-a"]);
      expect(await by("RATE_50%", "EQUALS")).toEqual([]);
      expect(await by("RATE_50%", "EQUALS_IGNORE_CASE")).toEqual(["meta-a"]);
    });
  });

  describe("a password hashed elsewhere", () => {
    const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64").replaceAll("=", "");
    const salt = Buffer.from("salt of sixteen!");
    const argon2 = (kind: "argon2id" | "argon2i") => {
      const sum = argon2Sync(kind, {
        message: Buffer.from(PASSWORD),
        nonce: salt,
        memory: 64,
        passes: 1,
        parallelism: 1,
        tagLength: 32,
      });
      return `$${kind}$v=19$m=64,t=1,p=1$${base64(salt)}$${base64(sum)}`;
    };
    const pbkdf2 = (name: string, digest: string) => {
      const text = (bytes: Uint8Array) => base64(bytes).replaceAll("+", ".");
      return `$${name}$100$${text(salt)}$${text(pbkdf2Sync(PASSWORD, salt, 100, 32, digest))}`;
    };
    const bcrypt = hashSync(PASSWORD, 4);
    const kinds: [kind: string, hash: string][] = [
      ["argon2id", argon2("argon2id")],
      ["argon2i", argon2("argon2i")],
      ["bcrypt-2a", bcrypt.replace(/^\$2.\$/, "$2a$")],
      ["bcrypt-2b", bcrypt.replace(/^\$2.\$/, "$2b$")],
      ["bcrypt-2y", bcrypt.replace(/^\$2.\$/, "$2y$")],
      [
        "scrypt",
        `$scrypt$ln=4,r=8,p=1$${base64(salt)}$${base64(scryptSync(PASSWORD, salt, 32, { N: 16, r: 8, p: 1 }))}`,
      ],
      ["pbkdf2-sha1", pbkdf2("pbkdf2", "sha1")],
      ["pbkdf2-sha224", pbkdf2("pbkdf2-sha224", "sha224")],
      ["pbkdf2-sha256", pbkdf2("pbkdf2-sha256", "sha256")],
      ["pbkdf2-sha384", pbkdf2("pbkdf2-sha384", "sha384")],
      ["pbkdf2-sha512", pbkdf2("pbkdf2-sha512", "sha512")],
    ];
    const hashes = async () =>
      house.operate(
        async (database) =>
          new Map(
            await Promise.all(
              kinds.map(
                async ([kind]) =>
                  [kind, (await userRow(database, { id: `hash-${kind}` })).passwordHash] as const,
              ),
            ),
          ),
      );

    test("lets in who knows it, and is hashed our way from then on", async () => {
      for (const [kind, hash] of kinds) {
        await addHuman(`hash-${kind}`, {}, { hashedPassword: { hash, changeRequired: true } });
      }
      expect(Object.fromEntries(await hashes())).toEqual(Object.fromEntries(kinds));
      expect((await read("hash-scrypt")).human).toMatchObject({
        passwordChangeRequired: true,
        passwordChanged: time,
      });

      const signInAll = async () => {
        for (const [kind] of kinds) {
          const { sessionId } = await signInAs(`hash-${kind}`);
          const { session } = await house.as(cast.owner).getSession({ sessionId });
          expect(session!.factors!.password, kind).toBeDefined();
          expect(await refusalOf(signInAs(`hash-${kind}`, "Wrong-Horse-8"))).toMatchObject({
            id: "COMMAND-3M0fs",
          });
        }
      };
      await signInAll();
      const upgraded = await hashes();
      for (const [kind] of kinds) {
        expect(upgraded.get(kind), kind).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
      }
      await signInAll();
      expect(await hashes()).toEqual(upgraded);
    });

    test("need not meet the rules for passwords, and is changed like any other", async () => {
      await addHuman("hash-weak", {}, { hashedPassword: { hash: hashSync("weak", 4) } });
      await signInAs("hash-weak", "weak");
      await ask("UpdateUser", {
        userId: "hash-weak",
        human: { password: { hashedPassword: { hash: bcrypt }, currentPassword: "weak" } },
      });
      await signInAs("hash-weak", PASSWORD);
    });
  });
});
