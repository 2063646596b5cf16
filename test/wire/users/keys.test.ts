import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
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
  idsOf,
  permissionDenied,
  refusal,
  time,
  unauthenticated,
  uuid,
} from "./wire.ts";

const FAR = "2100-01-01T00:00:00Z";
const NEVER = "9999-12-31T23:59:59Z";

const notMachine = refused(Code.FailedPrecondition, "only machine users have keys", "GATE-K3ymc");
const userNotFound = refused(Code.FailedPrecondition, "user could not be found", "COMMAND-bnipwm1");
const keyNotFound = refused(Code.NotFound, "key could not be found", "COMMAND-4m77G");
const inThePast = refused(Code.InvalidArgument, "expiration date is in the past", "DOMAIN-dv3t5");
const malformed = refused(Code.InvalidArgument, "public key is invalid", "COMMAND-5F3h1");

const own = generateKeyPairSync("ec", { namedCurve: "P-256" });
const pem = (key: KeyObject) => key.export({ type: "spki", format: "pem" }).toString();
const ownPublicKey = Buffer.from(pem(own.publicKey)).toString("base64");

type Added = { keyId: string; keyContent: string; creationDate: string };
type KeyFile = { type: string; keyId: string; key: string; expirationDate: string; userId: string };
const fileOf = ({ keyContent }: Added): KeyFile => JSON.parse(Buffer.from(keyContent, "base64").toString());

describe.each(engines)("machine keys on %s", (engine) => {
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
  const asBot = async (userId: string) => {
    const { token } = await ask("AddPersonalAccessToken", { userId, expirationDate: FAR });
    return asking(house, { token: token as string });
  };
  // A key of one's own costs no time; where it does not matter whose it is, tests bring one.
  const add = (userId: string, call: Call = ask, more: JsonObject = { publicKey: ownPublicKey }) =>
    call("AddKey", { userId, expirationDate: FAR, ...more }) as Promise<Added>;
  const remove = (userId: string, keyId: string, call: Call = ask) => call("RemoveKey", { userId, keyId });
  const list = async (request: JsonObject, call: Call = ask) => {
    const { pagination, result } = (await call("ListKeys", request)) as {
      pagination: JsonObject;
      result?: JsonObject[];
    };
    return { ids: idsOf(result), total: Number(pagination.totalResult ?? 0) };
  };
  const byKey = (id: string) => ({ filters: [{ keyIdFilter: { id } }] });

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    test("are made with their private part, listed without it, and removed", async () => {
      const call = asking(house, cast.owner, protocol);
      const userId = await newBot();
      const added = await add(userId, call, {});
      expect(added).toEqual({ keyId: uuid, keyContent: expect.any(String), creationDate: time });
      expect(fileOf(added)).toEqual({
        type: "serviceaccount",
        keyId: added.keyId,
        key: expect.stringMatching(/^-----BEGIN RSA PRIVATE KEY-----\n/),
        expirationDate: "2100-01-01T00:00:00.000Z",
        userId,
      });
      expect(createPrivateKey(fileOf(added).key).asymmetricKeyDetails).toMatchObject({
        modulusLength: 2_048,
      });

      expect(await call("ListKeys", byKey(added.keyId))).toEqual({
        pagination: { totalResult: "1", appliedLimit: "100" },
        result: [
          {
            id: added.keyId,
            userId,
            organizationId: cast.elsewhere.id,
            creationDate: added.creationDate,
            changeDate: added.creationDate,
            expirationDate: FAR,
          },
        ],
      });
      expect(await remove(userId, added.keyId, call)).toEqual({ deletionDate: time });
      expect(await call("ListKeys", byKey(added.keyId))).toEqual({ pagination: { appliedLimit: "100" } });
    });

    test("may be brought along, and then nothing secret comes back", async () => {
      const call = asking(house, cast.owner, protocol);
      const userId = await newBot();
      const added = await add(userId, call);
      expect(added).toEqual({ keyId: uuid, creationDate: time });
      expect((await list(byKey(added.keyId))).ids).toEqual([added.keyId]);
    });

    test("are refused without a credential, or with a wrong one", async () => {
      for (const method of ["AddKey", "RemoveKey", "ListKeys"] as const) {
        const { code } = await refusal(asking(house, undefined, protocol)(method, {}));
        expect(code).toBe(Code.Unauthenticated);
        expect(await refusal(asking(house, { token: "wrong" }, protocol)(method, {}))).toEqual(
          unauthenticated,
        );
      }
    });
  });

  test("are stored without their private part, and count as a change of their user", async () => {
    const userId = await newBot();
    const added = await add(userId, ask, {});
    await remove(userId, added.keyId);
    await house.operate(async (database) => {
      const [, keyAdded, keyRemoved] = await streamOf(database, "user", userId);
      expect(keyAdded).toMatchObject({
        type: "user.machine.key.added",
        payload: {
          keyId: added.keyId,
          publicKey: pem(createPublicKey(fileOf(added).key)),
          expiration: "2100-01-01T00:00:00.000Z",
        },
      });
      expect(Object.keys(keyAdded!.payload)).toHaveLength(3);
      expect(keyRemoved).toMatchObject({ type: "user.machine.key.removed", payload: { keyId: added.keyId } });
    });
  });

  describe("belong to a service account", () => {
    test("that makes and removes its own without any role", async () => {
      const userId = await newBot();
      const bot = await asBot(userId);
      const { keyId } = await add(userId, bot);
      expect((await list({}, bot)).ids).toEqual([keyId]);
      await remove(userId, keyId, bot);
      expect((await list({}, bot)).ids).toEqual([]);
    });

    test("whose organization's administrator makes and removes them, and no other's", async () => {
      const [here, there] = [await newBot(cast.home.id), await newBot(cast.elsewhere.id)];
      const orgOwner = asking(house, cast.orgOwner);
      const { keyId } = await add(here, orgOwner);
      const foreign = await add(there);
      expect(await refusal(add(there, orgOwner))).toEqual(permissionDenied);
      expect(await refusal(remove(there, foreign.keyId, orgOwner))).toEqual(permissionDenied);
      expect((await list(byKey(foreign.keyId))).total).toBe(1);
      await remove(here, keyId, orgOwner);
    });

    test("whom a stranger gives none and takes none, and is told no more if there is no such account", async () => {
      const userId = await newBot();
      const { keyId } = await add(userId);
      const stranger = asking(house, cast.nobody);
      for (const id of [userId, "nobody-of-that-id"]) {
        expect(await refusal(add(id, stranger))).toEqual(permissionDenied);
        expect(await refusal(add(id, stranger, {}))).toEqual(permissionDenied);
        expect(await refusal(remove(id, keyId, stranger))).toEqual(permissionDenied);
      }
      expect((await list(byKey(keyId))).total).toBe(1);
    });

    test("never to a person, even by the person's own wish", async () => {
      expect(await refusal(add(cast.mia.id))).toEqual(notMachine);
      const { sessionToken } = await house.as(cast.loginClient).createSession({ checks: signIn(cast.mia) });
      expect(await refusal(add(cast.mia.id, asking(house, { token: sessionToken })))).toEqual(notMachine);
    });

    test("that exists, and go with it", async () => {
      expect(await refusal(add("nobody-of-that-id"))).toEqual(userNotFound);
      const userId = await newBot();
      const { keyId } = await add(userId);
      await ask("DeleteUser", { userId });
      expect(await refusal(add(userId))).toEqual(userNotFound);
      expect(await refusal(remove(userId, keyId))).toEqual(keyNotFound);
      expect((await list(byKey(keyId))).total).toBe(0);
    });
  });

  test("are removed once, and under the name of their user only", async () => {
    const [mine, other] = [await newBot(), await newBot()];
    const [{ keyId }, foreign] = [await add(mine), await add(other)];
    expect(await refusal(remove(mine, foreign.keyId))).toEqual(keyNotFound);
    expect(await refusal(remove(mine, foreign.keyId, await asBot(mine)))).toEqual(keyNotFound);
    await remove(mine, keyId);
    expect(await refusal(remove(mine, keyId))).toEqual(keyNotFound);
    expect(await refusal(remove(mine, "no-such-key"))).toEqual(keyNotFound);
    expect((await list(byKey(foreign.keyId))).total).toBe(1);
  });

  test("are several, made at the same time", async () => {
    const userId = await newBot();
    const added = await Promise.all(Array.from({ length: 5 }, () => add(userId)));
    expect((await list({ filters: [{ userIdFilter: { id: userId } }] })).ids.sort()).toEqual(
      added.map(({ keyId }) => keyId).sort(),
    );
  });

  test.each(["1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", NEVER])(
    "never expire, if said by %s",
    async (expirationDate) => {
      const userId = await newBot();
      const added = await add(userId, ask, { expirationDate });
      expect(fileOf(added).expirationDate).toBe("9999-12-31T23:59:59.000Z");
      const { result } = await ask("ListKeys", byKey(added.keyId));
      expect(result).toMatchObject([{ expirationDate: NEVER }]);
    },
  );

  test.each([
    ["long ago", () => "2020-01-01T00:00:00Z"],
    ["just now", () => new Date(Date.now() - 1).toISOString()],
  ])("do not expire in the past: %s", async (_, date) => {
    const userId = await newBot();
    expect(await refusal(add(userId, ask, { expirationDate: date() }))).toEqual(inThePast);
    expect((await list({ filters: [{ userIdFilter: { id: userId } }] })).total).toBe(0);
  });

  test.each([
    ["text", "ssh-rsa AAAA"],
    ["no UTF-8", Buffer.from([0xff, 0xfe, 0x00])],
    ["a key too weak", pem(generateKeyPairSync("rsa", { modulusLength: 1_024 }).publicKey)],
    ["a private key", own.privateKey.export({ type: "pkcs8", format: "pem" }).toString()],
  ])("are not brought along as %s", async (_, text) => {
    const userId = await newBot();
    const publicKey = Buffer.from(text).toString("base64");
    expect(await refusal(add(userId, ask, { publicKey }))).toEqual(malformed);
    expect((await list({ filters: [{ userIdFilter: { id: userId } }] })).total).toBe(0);
  });

  const length = "value length must be between 1 and 200 runes, inclusive";
  const [long, defined] = ["x".repeat(201), "value must be one of the defined enum values"];
  test.each([
    ["AddKey", { userId: "u" }, "invalid AddKeyRequest.ExpirationDate: value is required"],
    ["AddKey", { expirationDate: FAR }, `invalid AddKeyRequest.UserId: ${length}`],
    ["RemoveKey", { userId: long, keyId: "k" }, `invalid RemoveKeyRequest.UserId: ${length}`],
    ["RemoveKey", { userId: "u" }, `invalid RemoveKeyRequest.KeyId: ${length}`],
    ["ListKeys", { sortingColumn: 99 }, `invalid ListKeysRequest.SortingColumn: ${defined}`],
    [
      "ListKeys",
      { filters: [{}] },
      "invalid ListKeysRequest.Filters[0]: embedded message failed validation | caused by: " +
        "invalid KeysSearchFilter.Filter: value is required",
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
    let recent: JsonObject;
    beforeAll(async () => {
      await ask("AddOrganization", { name: "keys", organizationId: "org-a" });
      await ask("AddOrganization", { name: "more keys", organizationId: "org-b" });
      const owners = [await newBot("org-b"), await newBot("org-a")];
      for (const [index, expirationDate] of [NEVER, "2100-03-01T00:00:00Z", FAR, NEVER].entries()) {
        const userId = owners[index % 2]!;
        const organizationId = index % 2 === 0 ? "org-b" : "org-a";
        const added = await add(userId, ask, { expirationDate, publicKey: ownPublicKey });
        known.push({ ...added, userId, organizationId, expirationDate });
      }
      recent = {
        createdDateFilter: {
          timestamp: known[0]!.creationDate,
          method: "TIMESTAMP_FILTER_METHOD_AFTER_OR_EQUALS",
        },
      };
    });

    const idsWhere = (matches: (key: Known) => boolean) => known.filter(matches).map(({ keyId }) => keyId);
    const found = async (...filters: JsonObject[]) =>
      (await list({ pagination: { asc: true }, filters: [recent, ...filters] })).ids;

    test("by key, user, organization and expiry", async () => {
      const [first] = known;
      expect(await found()).toEqual(idsWhere(() => true));
      expect(await found({ keyIdFilter: { id: first!.keyId } })).toEqual([first!.keyId]);
      expect(await found({ userIdFilter: { id: first!.userId } })).toEqual(
        idsWhere(({ userId }) => userId === first!.userId),
      );
      expect(await found({ organizationIdFilter: { id: "org-a" } })).toEqual(
        idsWhere(({ organizationId }) => organizationId === "org-a"),
      );
      const method = "TIMESTAMP_FILTER_METHOD_AFTER";
      expect(await found({ expirationDateFilter: { timestamp: FAR, method } })).toEqual(
        idsWhere(({ expirationDate }) => expirationDate !== FAR),
      );
    });

    const columns: [column: string, of: (key: Known) => string][] = [
      ["CREATED_DATE", ({ keyId }) => keyId],
      ["ID", ({ keyId }) => keyId],
      ["USER_ID", ({ userId }) => userId],
      ["ORGANIZATION_ID", ({ organizationId }) => organizationId],
      ["KEY_EXPIRATION_DATE", ({ expirationDate }) => expirationDate],
    ];
    const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
    test.each(columns)("in the order of %s and then of their ids, and page by page", async (column, of) => {
      const sorted = (pagination: JsonObject) =>
        list({ pagination, sortingColumn: `KEY_FIELD_NAME_${column}`, filters: [recent] });
      const expected = [...known]
        .sort((a, b) => compare(of(a), of(b)) || compare(a.keyId, b.keyId))
        .map(({ keyId }) => keyId);
      expect(await sorted({ asc: true })).toEqual({ ids: expected, total: 4 });
      expect(await sorted({})).toEqual({ ids: [...expected].reverse(), total: 4 });
      expect(await sorted({ asc: true, limit: 3, offset: "2" })).toEqual({
        ids: expected.slice(2),
        total: 4,
      });
    });

    test("up to a thousand", async () => {
      expect(await refusal(ask("ListKeys", { pagination: { limit: 1_001 } }))).toEqual(
        refused(Code.InvalidArgument, "the limit is above 1000", "GATE-L1m1t"),
      );
    });

    test("as far as one may read their users, and counted no further", async () => {
      const all = { pagination: { asc: true, limit: 1_000 } };
      const whole = await list(all);
      expect(whole.total).toBe(whole.ids.length);
      expect(await list(all, asking(house, cast.viewer))).toEqual(whole);
      await ask("CreateAdministrator", {
        userId: cast.permissionEditor.id,
        resource: { organizationId: "org-a" },
        roles: ["ORG_OWNER_VIEWER"],
      });
      const orgA = idsWhere(({ organizationId }) => organizationId === "org-a");
      expect(await list({ ...all, filters: [recent] }, asking(house, cast.permissionEditor))).toEqual({
        ids: orgA,
        total: 2,
      });
      const { userId } = known[0]!;
      const bot = await asBot(userId);
      expect(await list(all, bot)).toEqual({ ids: idsWhere((key) => key.userId === userId), total: 2 });
      expect(await list(byKey(known[1]!.keyId), bot)).toEqual({ ids: [], total: 0 });
      expect((await list(all, asking(house, cast.nobody))).total).toBe(0);
    });
  });
});
