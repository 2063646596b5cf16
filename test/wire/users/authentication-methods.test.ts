import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { UserEvent } from "../../../src/user/events.ts";
import { refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { appendToUser, type Cast, type House, signIn, startHouse } from "../../support/fixtures.ts";
import { protocolsOn } from "../protocols.ts";
import { asking, type Call, permissionDenied, refusal, time } from "./wire.ts";

const notFound = refused(Code.NotFound, "user could not be found", "QUERY-Dfbg2");

const registration = (kind: "passwordless" | "mfa.u2f", id: string, rpID: string): UserEvent => ({
  type: `user.human.${kind}.token.added`,
  payload: {
    webAuthNTokenId: id,
    challenge: "c",
    rpID,
    expiresAt: "2026-07-10T09:05:00Z",
    registeredBy: "mia",
  },
});
const key = (kind: "passwordless" | "mfa.u2f", id: string, rpId: string): UserEvent[] => [
  registration(kind, id, rpId),
  {
    type: `user.human.${kind}.token.verified`,
    payload: {
      webAuthNTokenId: id,
      keyId: id,
      publicKey: "p",
      attestationType: "none",
      aaguid: "",
      signCount: 0,
      webAuthNTokenName: `name of ${id}`,
      transports: [],
      backupEligible: false,
      backedUp: false,
    },
  },
];

/** Everything there is; of security keys one more that waits. */
const everything: UserEvent[] = [
  { type: "user.human.mfa.otp.added", payload: { otpSecret: "s" } },
  { type: "user.human.mfa.otp.verified", payload: {} },
  { type: "user.human.mfa.otp.sms.added", payload: {} },
  { type: "user.human.mfa.otp.email.added", payload: {} },
  { type: "user.human.mfa.recoverycode.added", payload: { codes: ["digest"] } },
  { type: "user.human.externalidp.added", payload: { idpConfigId: "i", userId: "u", displayName: "" } },
  ...key("passwordless", "p1", "a.example"),
  ...key("mfa.u2f", "u1", "b.example"),
  ...key("mfa.u2f", "u2", "a.example"),
  registration("mfa.u2f", "u3", "a.example"),
];

const types = (...names: string[]) => names.map((name) => `AUTHENTICATION_METHOD_TYPE_${name}`);
const ready = "AUTH_FACTOR_STATE_READY";
const notReady = "AUTH_FACTOR_STATE_NOT_READY";
const u2f = (id: string) => ({ state: ready, u2f: { id, name: `name of ${id}` } });

describe.each(engines)("authentication methods on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let ask: Call;
  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
    ask = asking(house, cast.owner);
    await house.operate(async (database) => {
      await appendToUser(database, cast.mia, ...everything);
      // Begun only.
      await appendToUser(
        database,
        cast.noah,
        everything[0]!,
        registration("passwordless", "p9", "a.example"),
      );
    });
  });
  afterAll(() => house.close());

  const typesOf = async (userId: string, domainQuery?: JsonObject, call: Call = ask) => {
    const answer = await call("ListAuthenticationMethodTypes", {
      userId,
      ...(domainQuery ? { domainQuery } : {}),
    });
    // Recovery codes are newer than the generated client of some protocols: there they are a number.
    return ((answer.authMethodTypes ?? []) as (string | number)[]).map((type) =>
      type === 8 ? "AUTHENTICATION_METHOD_TYPE_RECOVERY_CODE" : type,
    );
  };
  const factorsOf = async (userId: string, more: JsonObject = {}, call: Call = ask) =>
    (await call("ListAuthenticationFactors", { userId, ...more })).result ?? [];

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    const as = (caller: { token: string }) => asking(house, caller, protocol);

    test("are all that is ready", async () => {
      expect(await typesOf(cast.mia.id, undefined, as(cast.owner))).toEqual(
        types("PASSWORD", "PASSKEY", "IDP", "TOTP", "U2F", "OTP_SMS", "OTP_EMAIL", "RECOVERY_CODE"),
      );
      const { details } = await as(cast.owner)("ListAuthenticationMethodTypes", { userId: cast.mia.id });
      expect(details).toEqual({ totalResult: "8", timestamp: time });
      expect(await typesOf(cast.noah.id, undefined, as(cast.owner))).toEqual(types("PASSWORD"));
    });

    test("of one domain leave the keys of others out", async () => {
      const of = (domain: string) => typesOf(cast.mia.id, { domain }, as(cast.owner));
      const rest = types("PASSWORD", "IDP", "TOTP", "OTP_SMS", "OTP_EMAIL", "RECOVERY_CODE");
      const [passkey, securityKey] = types("PASSKEY", "U2F");
      expect(await of("c.example")).toEqual(rest);
      expect(await of("b.example")).toEqual(expect.arrayContaining([securityKey]));
      expect(await of("b.example")).not.toContain(passkey);
      expect(await of("a.example")).toEqual(expect.arrayContaining([passkey, securityKey]));
    });

    test("as factors are those that are ready, or of the types and states asked for", async () => {
      const factors = (more: JsonObject) => factorsOf(cast.mia.id, more, as(cast.owner));
      const all = [
        u2f("u1"),
        u2f("u2"),
        { state: ready, otp: {} },
        { state: ready, otpSms: {} },
        { state: ready, otpEmail: {} },
      ];
      expect(await factors({})).toEqual(all);
      expect(await factors({ authFactors: ["U2F"] })).toEqual(all.slice(0, 2));
      expect(await factors({ authFactors: ["OTP", "OTP_EMAIL"] })).toEqual([all[2], all[4]]);
      expect(await factors({ states: [notReady] })).toEqual([{ state: notReady, u2f: { id: "u3" } }]);
      expect(await factors({ states: [ready, notReady], authFactors: ["U2F"] })).toHaveLength(3);
      expect(await factors({ states: ["AUTH_FACTOR_STATE_REMOVED"] })).toEqual([]);
      expect(await factorsOf(cast.noah.id, { states: [notReady] }, as(cast.owner))).toEqual([
        { state: notReady, otp: {} },
      ]);
    });
  });

  test("are none of a service account", async () => {
    expect(await typesOf(cast.nobody.id)).toEqual([]);
    expect(await factorsOf(cast.nobody.id)).toEqual([]);
  });

  test("are shown to oneself and to who may read the user, and not even their absence to others", async () => {
    const { sessionToken } = await house.as(cast.loginClient).createSession({ checks: signIn(cast.noah) });
    const noah = asking(house, { token: sessionToken });
    expect(await typesOf(cast.noah.id, undefined, noah)).toEqual(types("PASSWORD"));
    expect(await factorsOf(cast.noah.id, {}, noah)).toEqual([]);
    for (const reader of [cast.viewer, cast.orgOwner, cast.permissionEditor]) {
      expect(await typesOf(cast.mia.id, undefined, asking(house, reader))).toHaveLength(8);
      expect(await factorsOf(cast.mia.id, {}, asking(house, reader))).toHaveLength(5);
    }
    for (const stranger of [noah, asking(house, cast.nobody), asking(house, cast.otherOrgOwner)])
      for (const userId of [cast.mia.id, "nobody-of-that-id"]) {
        expect(await refusal(typesOf(userId, undefined, stranger))).toEqual(permissionDenied);
        expect(await refusal(factorsOf(userId, {}, stranger))).toEqual(permissionDenied);
      }
    expect(await refusal(typesOf("nobody-of-that-id"))).toEqual(notFound);
    expect(await refusal(factorsOf("nobody-of-that-id"))).toEqual(notFound);
  });

  test.each([
    ["ListAuthenticationMethodTypes", {}, "ListAuthenticationMethodTypesRequest.UserId"],
    ["ListAuthenticationFactors", { userId: "x".repeat(201) }, "ListAuthenticationFactorsRequest.UserId"],
  ] as const)("%s %j names the field", async (method, request, field) => {
    expect(await refusal(ask(method, request))).toEqual({
      code: Code.InvalidArgument,
      message: `invalid ${field}: value length must be between 1 and 200 runes, inclusive`,
    });
  });

  test("of a domain without a name are refused", async () => {
    expect(await refusal(typesOf(cast.mia.id, { domain: "" }))).toMatchObject({
      code: Code.InvalidArgument,
      message: expect.stringContaining("DomainQuery.Domain: value length must be between 1 and 200 runes"),
    });
  });
});
