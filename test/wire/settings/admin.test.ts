import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import packageJson from "../../../package.json" with { type: "json" };
import { refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { type Cast, countEvents, type House, startHouse } from "../../support/fixtures.ts";
import { protocolsOn } from "../protocols.ts";
import {
  between,
  defined,
  everybody,
  invalid,
  methodDenied,
  notZero,
  objectDetails,
  type Who,
  who,
} from "./rows.ts";
import { asking, refusal, updateLoginPolicy } from "./wire.ts";

/** Every write of a setting: a request for the n-th time, and who may make it. */
const writes: Record<string, { request: (n: number) => JsonObject; holders: Who[] }> = {
  UpdateLockoutPolicy: {
    request: (n) => ({ maxPasswordAttempts: 1_000 + n, maxOtpAttempts: 2_000 + n }),
    holders: ["owner"],
  },
  UpdatePasswordComplexityPolicy: {
    request: (n) => ({ minLength: 9 + n, hasNumber: true }),
    holders: ["owner"],
  },
  UpdatePasswordAgePolicy: {
    request: (n) => ({ maxAgeDays: 90 + n, expireWarnDays: 7 }),
    holders: ["owner"],
  },
  UpdateLoginPolicy: {
    request: (n) => ({ allowRegister: true, mfaInitSkipLifetime: `${n}s` }),
    holders: ["owner"],
  },
  RemoveSecondFactorFromLoginPolicy: {
    request: () => ({ type: "SECOND_FACTOR_TYPE_OTP_SMS" }),
    holders: ["owner"],
  },
  AddSecondFactorToLoginPolicy: {
    request: () => ({ type: "SECOND_FACTOR_TYPE_OTP_SMS" }),
    holders: ["owner"],
  },
  RemoveMultiFactorFromLoginPolicy: {
    request: () => ({ type: "MULTI_FACTOR_TYPE_U2F_WITH_VERIFICATION" }),
    holders: ["owner"],
  },
  AddMultiFactorToLoginPolicy: {
    request: () => ({ type: "MULTI_FACTOR_TYPE_U2F_WITH_VERIFICATION" }),
    holders: ["owner"],
  },
  UpdateSecretGenerator: {
    request: (n) => ({
      generatorType: "SECRET_GENERATOR_TYPE_APP_SECRET",
      length: 64 + n,
      includeDigits: true,
    }),
    holders: ["owner"],
  },
};

const reads: Record<string, Who[]> = {
  GetLockoutPolicy: ["owner", "loginClient", "viewer"],
  GetMyInstance: ["owner", "loginClient", "viewer"],
};

describe.each(engines)("the instance's settings on %s", (engine) => {
  let house: House;
  let cast: Cast;
  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
  });
  afterAll(() => house.close());

  const ask = (name: Who = "owner") => asking(house, "admin", who[name](cast));
  const settings = (method: string) =>
    asking(house, "settings", cast.owner)(method, { ctx: { instance: true } });
  const sequence = async () => {
    const { instance } = (await ask()("GetMyInstance")) as { instance: { details: { sequence: string } } };
    return Number(instance.details.sequence);
  };

  let times = 0;

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    test.each(Object.keys(writes))("%s is one event of the instance", async (method) => {
      const before = await sequence();
      const answer = await asking(
        house,
        "admin",
        cast.owner,
        protocol,
      )(method, writes[method]!.request(++times));
      expect(answer).toEqual({
        details: { ...objectDetails(cast.instanceId), sequence: String(before + 1) },
      });
      expect(await sequence()).toBe(before + 1);
    });

    test("GetLockoutPolicy reads what was written", async () => {
      const limits = { maxPasswordAttempts: 5_000 + ++times, maxOtpAttempts: 6_000 };
      const as = asking(house, "admin", cast.owner, protocol);
      await as("UpdateLockoutPolicy", limits);
      expect(await as("GetLockoutPolicy")).toEqual({
        policy: {
          details: objectDetails(cast.instanceId),
          maxPasswordAttempts: String(limits.maxPasswordAttempts),
          maxOtpAttempts: "6000",
          isDefault: true,
        },
      });
    });

    test("GetMyInstance tells the instance and its domain", async () => {
      expect(await asking(house, "admin", cast.viewer, protocol)("GetMyInstance")).toEqual({
        instance: {
          id: cast.instanceId,
          details: objectDetails(cast.instanceId),
          state: "STATE_RUNNING",
          name: "Gatehouse",
          version: packageJson.version,
          domains: [{ details: objectDetails(cast.instanceId), domain: "localhost", primary: true }],
        },
      });
    });
  });

  test.each(Object.keys(writes))("%s is for the owner of the instance", async (method) => {
    const before = await sequence();
    const { request, holders } = writes[method]!;
    for (const name of everybody) {
      if (holders.includes(name)) continue;
      expect([name, await refusal(ask(name)(method, request(0)))]).toEqual([name, methodDenied]);
      // Whatever organization the call is about.
      const elsewhere = { "x-zitadel-orgid": cast.elsewhere.id };
      expect([name, await refusal(ask(name)(method, request(0), elsewhere))]).toEqual([name, methodDenied]);
    }
    expect(await sequence()).toBe(before);
  });

  test.each(Object.entries(reads))("%s is for who may read the instance", async (method, holders) => {
    for (const name of everybody) {
      if (holders.includes(name)) expect(await ask(name)(method)).toBeDefined();
      else expect([name, await refusal(ask(name)(method))]).toEqual([name, methodDenied]);
    }
  });

  test("without the permission a request is refused before it is read", async () => {
    const wrong = { generatorType: 99, length: 0 };
    expect(await refusal(ask("nobody")("UpdateSecretGenerator", wrong))).toEqual(methodDenied);
  });

  test.each([
    "UpdateLockoutPolicy",
    "UpdatePasswordComplexityPolicy",
    "UpdatePasswordAgePolicy",
    "UpdateLoginPolicy",
    "UpdateSecretGenerator",
  ])("%s with what is so already changes nothing, and says so", async (method) => {
    const request = writes[method]!.request(++times);
    const first = await ask()(method, request);
    const before = await house.operate(countEvents);
    expect(await ask()(method, request)).toEqual(first);
    expect(await house.operate(countEvents)).toBe(before);
  });

  test("what was written is what the settings say", async () => {
    await ask()("UpdateLockoutPolicy", { maxPasswordAttempts: 4_294_967_295, maxOtpAttempts: 3 });
    expect((await settings("GetLockoutSettings")).settings).toEqual({
      maxPasswordAttempts: "4294967295",
      maxOtpAttempts: "3",
      resourceOwnerType: "RESOURCE_OWNER_TYPE_INSTANCE",
    });
    await ask()("UpdatePasswordComplexityPolicy", { minLength: 72, hasSymbol: true, hasLowercase: true });
    expect((await settings("GetPasswordComplexitySettings")).settings).toEqual({
      minLength: "72",
      requiresSymbol: true,
      requiresLowercase: true,
      resourceOwnerType: "RESOURCE_OWNER_TYPE_INSTANCE",
    });
    await ask()("UpdatePasswordAgePolicy", { maxAgeDays: 365, expireWarnDays: 10 });
    expect((await settings("GetPasswordExpirySettings")).settings).toEqual({
      maxAgeDays: "365",
      expireWarnDays: "10",
      resourceOwnerType: "RESOURCE_OWNER_TYPE_INSTANCE",
    });
  });

  const rules = {
    allowUsernamePassword: true,
    allowRegister: true,
    allowExternalIdp: true,
    forceMfa: true,
    forceMfaLocalOnly: true,
    hidePasswordReset: true,
    ignoreUnknownUsernames: true,
    defaultRedirectUri: "com.example.app:/signed-in",
    passwordCheckLifetime: "1s",
    externalLoginCheckLifetime: "2.500s",
    mfaInitSkipLifetime: "0s",
    secondFactorCheckLifetime: "315576000000s",
    multiFactorCheckLifetime: "4s",
    allowDomainDiscovery: true,
    disableLoginWithEmail: true,
    disableLoginWithPhone: true,
  };

  test.each(Object.keys(rules))(
    "UpdateLoginPolicy sets %s, and takes back what it leaves out",
    async (member) => {
      const all = { ...rules, passwordlessType: "PASSWORDLESS_TYPE_ALLOWED" };
      await ask()("UpdateLoginPolicy", all);
      const full = (await settings("GetLoginSettings")).settings as JsonObject;
      expect(full).toMatchObject({ ...rules, passkeysType: "PASSKEYS_TYPE_ALLOWED" });

      const { [member as keyof typeof rules]: _, ...rest } = all;
      await ask()("UpdateLoginPolicy", rest);
      const expected: JsonObject = { ...full };
      delete expected[member];
      if (member.endsWith("Lifetime")) expected[member] = "0s";
      expect((await settings("GetLoginSettings")).settings).toEqual(expected);
    },
  );

  test("UpdateLoginPolicy leaves the factors as they are, and forbids passkeys unless told", async () => {
    await ask()("RemoveSecondFactorFromLoginPolicy", { type: "SECOND_FACTOR_TYPE_U2F" });
    await ask()("UpdateLoginPolicy", {});
    expect((await settings("GetLoginSettings")).settings).toMatchObject({
      secondFactors: ["SECOND_FACTOR_TYPE_OTP", "SECOND_FACTOR_TYPE_OTP_EMAIL", "SECOND_FACTOR_TYPE_OTP_SMS"],
      multiFactors: ["MULTI_FACTOR_TYPE_U2F_WITH_VERIFICATION"],
    });
    expect((await settings("GetLoginSettings")).settings).not.toHaveProperty(
      "passkeysType",
      "PASSKEYS_TYPE_ALLOWED",
    );
    await ask()("AddSecondFactorToLoginPolicy", { type: "SECOND_FACTOR_TYPE_U2F" });
  });

  test("a factor is allowed once, and forbidden once", async () => {
    const exists = refused(Code.AlreadyExists, "the factor is allowed already", "GATE-S3tFe");
    const missing = refused(Code.NotFound, "the factor is not allowed", "GATE-S3tFn");
    for (const [kind, type] of [
      ["SecondFactor", "SECOND_FACTOR_TYPE_OTP_EMAIL"],
      ["MultiFactor", "MULTI_FACTOR_TYPE_U2F_WITH_VERIFICATION"],
    ]) {
      expect(await refusal(ask()(`Add${kind}ToLoginPolicy`, { type: type! }))).toEqual(exists);
      await ask()(`Remove${kind}FromLoginPolicy`, { type: type! });
      expect(await refusal(ask()(`Remove${kind}FromLoginPolicy`, { type: type! }))).toEqual(missing);
      await ask()(`Add${kind}ToLoginPolicy`, { type: type! });
    }
  });

  const duration = refused(
    Code.InvalidArgument,
    "a duration must lie between 0 and 10,000 years",
    "GATE-S3tDu",
  );
  const redirect = refused(
    Code.InvalidArgument,
    "the default redirect URI must be an absolute address",
    "GATE-S3tRd",
  );
  const minLength = refused(
    Code.InvalidArgument,
    "the minimum length must lie between 1 and 72",
    "GATE-S3tMl",
  );
  const codeLength = refused(
    Code.InvalidArgument,
    "a code has at least one symbol, and no more than can be typed in",
    "GATE-S3tGl",
  );
  const alphabet = refused(Code.InvalidArgument, "a code needs letters, digits or symbols", "GATE-S3tGa");
  const generator = { generatorType: 2, length: 6, includeDigits: true };

  test.each<[string, JsonObject, ReturnType<typeof invalid>]>([
    [
      "UpdateLoginPolicy",
      { passwordlessType: 2 },
      invalid(`invalid UpdateLoginPolicyRequest.PasswordlessType: ${defined}`),
    ],
    ["UpdateLoginPolicy", { defaultRedirectUri: "somewhere" }, redirect],
    ["UpdateLoginPolicy", { defaultRedirectUri: "/here" }, redirect],
    ["UpdateLoginPolicy", { defaultRedirectUri: "javascript:alert(1)" }, redirect],
    ["UpdateLoginPolicy", { defaultRedirectUri: " java\tscript:alert(1)" }, redirect],
    ["UpdateLoginPolicy", { defaultRedirectUri: "data:text/html,hello" }, redirect],
    ["UpdateLoginPolicy", { passwordCheckLifetime: "-1s" }, duration],
    ["UpdateLoginPolicy", { externalLoginCheckLifetime: "-0.000000001s" }, duration],
    ["UpdateLoginPolicy", { mfaInitSkipLifetime: "-1s" }, duration],
    ["UpdateLoginPolicy", { secondFactorCheckLifetime: "-1s" }, duration],
    ["UpdateLoginPolicy", { multiFactorCheckLifetime: "-1s" }, duration],
    [
      "AddSecondFactorToLoginPolicy",
      {},
      invalid(`invalid AddSecondFactorToLoginPolicyRequest.Type: ${notZero}`),
    ],
    [
      "AddSecondFactorToLoginPolicy",
      { type: 9 },
      invalid(`invalid AddSecondFactorToLoginPolicyRequest.Type: ${defined}`),
    ],
    [
      "RemoveSecondFactorFromLoginPolicy",
      { type: 0 },
      invalid(`invalid RemoveSecondFactorFromLoginPolicyRequest.Type: ${notZero}`),
    ],
    [
      "RemoveSecondFactorFromLoginPolicy",
      { type: 9 },
      invalid(`invalid RemoveSecondFactorFromLoginPolicyRequest.Type: ${defined}`),
    ],
    [
      "AddMultiFactorToLoginPolicy",
      {},
      invalid(`invalid AddMultiFactorToLoginPolicyRequest.Type: ${notZero}`),
    ],
    [
      "AddMultiFactorToLoginPolicy",
      { type: 2 },
      invalid(`invalid AddMultiFactorToLoginPolicyRequest.Type: ${defined}`),
    ],
    [
      "RemoveMultiFactorFromLoginPolicy",
      {},
      invalid(`invalid RemoveMultiFactorFromLoginPolicyRequest.Type: ${notZero}`),
    ],
    [
      "RemoveMultiFactorFromLoginPolicy",
      { type: 2 },
      invalid(`invalid RemoveMultiFactorFromLoginPolicyRequest.Type: ${defined}`),
    ],
    ["UpdatePasswordComplexityPolicy", {}, minLength],
    ["UpdatePasswordComplexityPolicy", { minLength: 73 }, minLength],
    [
      "UpdateSecretGenerator",
      { ...generator, generatorType: 0 },
      invalid(`invalid UpdateSecretGeneratorRequest.GeneratorType: ${notZero}`),
    ],
    [
      "UpdateSecretGenerator",
      { ...generator, generatorType: 10 },
      invalid(`invalid UpdateSecretGeneratorRequest.GeneratorType: ${defined}`),
    ],
    ["UpdateSecretGenerator", { ...generator, length: 0 }, codeLength],
    ["UpdateSecretGenerator", { ...generator, length: 21 }, codeLength],
    ["UpdateSecretGenerator", { ...generator, generatorType: 5, length: 201 }, codeLength],
    ["UpdateSecretGenerator", { generatorType: 2, length: 6 }, alphabet],
    ["UpdateSecretGenerator", { ...generator, expiry: "-1s" }, duration],
    [
      "AddIDPToLoginPolicy",
      { idpId: "" },
      invalid(`invalid AddIDPToLoginPolicyRequest.IdpId: ${between(1, 200)}`),
    ],
    [
      "AddIDPToLoginPolicy",
      { idpId: "x".repeat(201) },
      invalid(`invalid AddIDPToLoginPolicyRequest.IdpId: ${between(1, 200)}`),
    ],
    [
      "RemoveIDPFromLoginPolicy",
      { idpId: "" },
      invalid(`invalid RemoveIDPFromLoginPolicyRequest.IdpId: ${between(1, 200)}`),
    ],
    [
      "RemoveIDPFromLoginPolicy",
      { idpId: "x".repeat(201) },
      invalid(`invalid RemoveIDPFromLoginPolicyRequest.IdpId: ${between(1, 200)}`),
    ],
  ])("%s with %j is refused and changes nothing", async (method, request, expected) => {
    const before = await sequence();
    expect(await refusal(ask()(method, request))).toEqual(expected);
    expect(await sequence()).toBe(before);
  });

  test("a duration the JSON form has no words for is refused too", async () => {
    // Beyond 10,000 years: only the binary formats can write it.
    const lifetime = { seconds: 315_576_000_001n, nanos: 0 };
    expect(await refusal(updateLoginPolicy(house, cast.owner, lifetime))).toEqual(duration);
    expect(
      await refusal(updateLoginPolicy(house, cast.owner, { seconds: 9_223_372_036_854_775_807n, nanos: 0 })),
    ).toEqual(duration);
  });

  test("changes made at the same time all land", async () => {
    const before = await sequence();
    await Promise.all([
      ...Array.from({ length: 10 }, (_, n) => ask()("UpdatePasswordAgePolicy", { maxAgeDays: 1_000 + n })),
      ...Array.from({ length: 10 }, (_, n) =>
        ask()("UpdateLockoutPolicy", { maxPasswordAttempts: 3_000 + n }),
      ),
    ]);
    expect(await sequence()).toBe(before + 20);
  });
});
