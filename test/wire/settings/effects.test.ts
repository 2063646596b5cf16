import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { type Cast, type House, startHouse } from "../../support/fixtures.ts";
import { asking as askingUsers, type Call, person, refusal as refusalOfUsers } from "../users/wire.ts";
import { type Ask, asking } from "./wire.ts";

const tooShort = refused(Code.InvalidArgument, "password is too short", "DOMAIN-HuJf6");
const noSymbol = refused(Code.InvalidArgument, "password needs a symbol", "DOMAIN-ZDLwA");
const noNumber = refused(Code.InvalidArgument, "password needs a number", "DOMAIN-ZBv4H");

describe.each(engines)("a setting of the instance on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let admin: Ask;
  let users: Call;
  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
    admin = asking(house, "admin", cast.owner);
    users = askingUsers(house, cast.owner);
  });
  afterAll(() => house.close());

  let people = 0;
  const withPassword = (password: string): JsonObject =>
    person(`person${++people}`, { password: { password } });

  describe("for passwords", () => {
    /** Everything that sets a password. */
    const ways: Record<string, (password: string) => Promise<unknown>> = {
      AddHumanUser: (password) => users("AddHumanUser", withPassword(password)),
      CreateUser: (password) =>
        users("CreateUser", { organizationId: cast.home.id, human: withPassword(password) }),
      SetPassword: (password) => users("SetPassword", { userId: cast.zoe.id, newPassword: { password } }),
      UpdateUser: (password) =>
        users("UpdateUser", { userId: cast.zoe.id, human: { password: { password: { password } } } }),
      UpdateHumanUser: (password) =>
        users("UpdateHumanUser", { userId: cast.zoe.id, password: { password: { password } } }),
      AddOrganization: (password) =>
        users("AddOrganization", {
          name: `Organization ${++people}`,
          admins: [{ human: withPassword(password) }],
        }),
    };

    test.each(Object.keys(ways))("%s: asks for what it says, and for no more", async (way) => {
      const set = ways[way]!;
      const demand = (complexity: JsonObject) => admin("UpdatePasswordComplexityPolicy", complexity);
      await demand({ minLength: 3 });
      await set("abc");
      expect(await refusalOfUsers(set("ab"))).toEqual(tooShort);
      await demand({ minLength: 3, hasSymbol: true });
      expect(await refusalOfUsers(set("abc"))).toEqual(noSymbol);
      await set("ab!");
      await demand({ minLength: 12, hasNumber: true });
      expect(await refusalOfUsers(set("Secret-1"))).toEqual(tooShort);
      expect(await refusalOfUsers(set("longenoughbutnonumber"))).toEqual(noNumber);
      await set("long enough 1");
    });

    test("does not look into a hash from elsewhere, nor at passwords that are set", async () => {
      await admin("UpdatePasswordComplexityPolicy", { minLength: 72, hasNumber: true });
      const hash = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";
      await users("AddHumanUser", person("hashed", { hashedPassword: { hash } }));
      const { session } = await house
        .as(cast.owner)
        .createSession({
          checks: {
            user: { search: { case: "userId", value: cast.mia.id } },
            password: { password: "Correct-Horse-7" },
          },
        })
        .then(({ sessionId }) => house.as(cast.owner).getSession({ sessionId }));
      expect(session!.factors!.password!.verifiedAt).toBeDefined();
    });
  });

  describe("for codes", () => {
    const added = (name: string) =>
      users("AddHumanUser", {
        ...person(name),
        email: { email: `${name}@example.com`, returnCode: {} },
        phone: { phone: "+41791234567", returnCode: {} },
      });
    beforeEach(async () => {
      await admin("UpdatePasswordComplexityPolicy", { minLength: 8 });
    });

    test("decides what a new code is made of, each kind for itself", async () => {
      expect(await added("first")).toMatchObject({
        emailCode: expect.stringMatching(/^[A-Z0-9]{6}$/),
        phoneCode: expect.stringMatching(/^[A-Z0-9]{6}$/),
      });
      const generator = { length: 20, includeLowerLetters: true, expiry: "60s" };
      await admin("UpdateSecretGenerator", {
        generatorType: "SECRET_GENERATOR_TYPE_VERIFY_EMAIL_CODE",
        ...generator,
      });
      expect(await added("second")).toMatchObject({
        emailCode: expect.stringMatching(/^[a-z]{20}$/),
        phoneCode: expect.stringMatching(/^[A-Z0-9]{6}$/),
      });
      await admin("UpdateSecretGenerator", {
        generatorType: "SECRET_GENERATOR_TYPE_VERIFY_PHONE_CODE",
        length: 4,
        includeSymbols: true,
      });
      expect(await added("third")).toMatchObject({
        emailCode: expect.stringMatching(/^[a-z]{20}$/),
        phoneCode: expect.stringMatching(/^[!#$%&*+\-=?@_]{4}$/),
      });
    });
  });
});
