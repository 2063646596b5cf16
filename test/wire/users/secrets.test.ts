import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { type Cast, type House, signIn, startHouse, streamOf } from "../../support/fixtures.ts";
import { protocolsOn } from "../protocols.ts";
import {
  newBot as addBot,
  asking,
  type Call,
  permissionDenied,
  refusal,
  time,
  unauthenticated,
} from "./wire.ts";

const FAR = "2100-01-01T00:00:00Z";
const secretText = expect.stringMatching(/^gatehouse_cs_[\w-]{43}$/) as unknown as string;

const notMachine = refused(Code.FailedPrecondition, "only machine users have a client secret", "GATE-S3cmc");
const userNotFound = refused(Code.FailedPrecondition, "user could not be found", "GATE-S3cnf");
const notSet = refused(Code.FailedPrecondition, "user has no client secret", "GATE-S3cns");

type Added = { clientSecret: string; creationDate: string };

describe.each(engines)("client secrets on %s", (engine) => {
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
  const add = (userId: string, call: Call = ask) => call("AddSecret", { userId }) as Promise<Added>;
  const remove = (userId: string, call: Call = ask) => call("RemoveSecret", { userId });
  const hasSecret = async (userId: string, call: Call = ask) => {
    const { user } = (await call("GetUserByID", { userId })) as { user: { machine: JsonObject } };
    return user.machine.hasSecret ?? false;
  };

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    test("are shown once, and that there is one is seen on the user until it is removed", async () => {
      const call = asking(house, cast.owner, protocol);
      const userId = await newBot();
      expect(await hasSecret(userId, call)).toBe(false);
      expect(await add(userId, call)).toEqual({ clientSecret: secretText, creationDate: time });
      expect(await hasSecret(userId, call)).toBe(true);
      expect(await remove(userId, call)).toEqual({ deletionDate: time });
      expect(await hasSecret(userId, call)).toBe(false);
      expect(await refusal(remove(userId, call))).toEqual(notSet);
    });

    test("are refused without a credential, or with a wrong one", async () => {
      for (const method of ["AddSecret", "RemoveSecret"] as const) {
        const { code } = await refusal(asking(house, undefined, protocol)(method, {}));
        expect(code).toBe(Code.Unauthenticated);
        expect(await refusal(asking(house, { token: "wrong" }, protocol)(method, {}))).toEqual(
          unauthenticated,
        );
      }
    });
  });

  test("are one of a user, and stored as digests", async () => {
    const userId = await newBot();
    const [first, second] = [await add(userId), await add(userId)];
    expect(first.clientSecret).not.toBe(second.clientSecret);
    expect(await hasSecret(userId)).toBe(true);
    await house.operate(async (database) => {
      const [, ...stored] = await streamOf(database, "user", userId);
      expect(stored.map(({ type }) => type)).toEqual(["user.machine.secret.set", "user.machine.secret.set"]);
      for (const { clientSecret } of [first, second])
        expect(JSON.stringify(stored)).not.toContain(clientSecret.slice("gatehouse_cs_".length));
    });
  });

  test("are a service account's own affair, and its administrators'", async () => {
    const [here, there] = [await newBot(cast.home.id), await newBot(cast.elsewhere.id)];
    const { token } = await ask("AddPersonalAccessToken", { userId: there, expirationDate: FAR });
    const itself = asking(house, { token: token as string });
    await add(there, itself);
    await remove(there, itself);
    const orgOwner = asking(house, cast.orgOwner);
    await add(here, orgOwner);
    await remove(here, orgOwner);
    await add(there);
    for (const stranger of [orgOwner, asking(house, cast.nobody)])
      for (const id of [there, "nobody-of-that-id"]) {
        expect(await refusal(add(id, stranger))).toEqual(permissionDenied);
        expect(await refusal(remove(id, stranger))).toEqual(permissionDenied);
      }
    expect(await hasSecret(there)).toBe(true);
  });

  test("are nothing for people, even by their own wish", async () => {
    expect(await refusal(add(cast.mia.id))).toEqual(notMachine);
    expect(await refusal(remove(cast.mia.id))).toEqual(notSet);
    const { sessionToken } = await house.as(cast.loginClient).createSession({ checks: signIn(cast.mia) });
    expect(await refusal(add(cast.mia.id, asking(house, { token: sessionToken })))).toEqual(notMachine);
  });

  test("need a user that exists", async () => {
    expect(await refusal(add("nobody-of-that-id"))).toEqual(userNotFound);
    expect(await refusal(remove("nobody-of-that-id"))).toEqual(userNotFound);
    const userId = await newBot();
    await add(userId);
    await ask("DeleteUser", { userId });
    expect(await refusal(add(userId))).toEqual(userNotFound);
    await ask("CreateUser", { organizationId: cast.home.id, userId, machine: { name: "Bot" } });
    expect(await hasSecret(userId)).toBe(false);
  });

  test.each([
    ["AddSecret", {}],
    ["AddSecret", { userId: "x".repeat(201) }],
    ["RemoveSecret", {}],
  ] as const)("%s %j names the field", async (method, request) => {
    expect(await refusal(ask(method, request))).toEqual({
      code: Code.InvalidArgument,
      message: `invalid ${method}Request.UserId: value length must be between 1 and 200 runes, inclusive`,
    });
  });
});
