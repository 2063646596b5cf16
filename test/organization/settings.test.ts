import { describe, expect, it } from "vitest";
import { type InstanceState, instanceAggregate } from "../../src/organization/instance.ts";
import { codeRecipe } from "../../src/organization/secret-generators.ts";
import type { SettingsEvent } from "../../src/organization/settings/events.ts";
import { settingsOf } from "../../src/organization/settings/settings.ts";
import { given } from "../support/given.ts";

const instance = (...events: SettingsEvent[]): InstanceState =>
  given(instanceAggregate, instanceAggregate.initialState("instance"), [
    { type: "instance.added", payload: { defaultOrganizationId: "home", keyCheck: "check" } },
    ...events,
  ]);

const HOUR_MS = 3_600_000;

describe("the settings of a fresh instance", () => {
  const settings = settingsOf(instance());

  it("lock nobody, and let people sign in with a password and every second factor but recovery codes", () => {
    const { maxPasswordAttempts, maxOtpAttempts } = instance();
    expect([maxPasswordAttempts, maxOtpAttempts]).toEqual([0, 0]);
    expect(settings.passwordComplexity).toEqual({
      minLength: 8,
      hasLowercase: true,
      hasUppercase: true,
      hasNumber: true,
      hasSymbol: true,
    });
    expect(settings.passwordAge).toEqual({ maxAgeDays: 0, expireWarnDays: 0 });
    expect(settings.login).toMatchObject({
      allowUsernamePassword: true,
      allowRegister: true,
      allowExternalIdp: true,
      allowPasskeys: true,
      forceMfa: false,
      forceMfaLocalOnly: false,
      ignoreUnknownUsernames: false,
      passwordCheckLifetimeMs: 240 * HOUR_MS,
      externalLoginCheckLifetimeMs: 240 * HOUR_MS,
      mfaInitSkipLifetimeMs: 720 * HOUR_MS,
      secondFactorCheckLifetimeMs: 18 * HOUR_MS,
      multiFactorCheckLifetimeMs: 12 * HOUR_MS,
    });
    expect([settings.secondFactors, settings.multiFactors, settings.loginIdpIds]).toEqual([
      [1, 2, 3, 4],
      [1],
      [],
    ]);
  });
});

describe("an event of the settings", () => {
  const digitsOnly = { lowerLetters: false, upperLetters: false, digits: true, symbols: false };
  const age = { maxAgeDays: 90, expireWarnDays: 7 };
  const login = { ...settingsOf(instance()).login, forceMfa: true };
  const anything = {
    minLength: 1,
    hasLowercase: false,
    hasUppercase: false,
    hasNumber: false,
    hasSymbol: false,
  };

  it.each<[SettingsEvent, object]>([
    [
      { type: "instance.policy.password.complexity.changed", payload: anything },
      { passwordComplexity: anything },
    ],
    [{ type: "instance.policy.password.age.changed", payload: age }, { passwordAge: age }],
    [{ type: "instance.policy.login.changed", payload: login }, { login }],
    [
      { type: "instance.policy.login.secondfactor.removed", payload: { mfaType: 3 } },
      { secondFactors: [1, 2, 4] },
    ],
    [
      { type: "instance.policy.login.secondfactor.added", payload: { mfaType: 5 } },
      { secondFactors: [1, 2, 3, 4, 5] },
    ],
    [{ type: "instance.policy.login.multifactor.removed", payload: { mfaType: 1 } }, { multiFactors: [] }],
    [{ type: "instance.policy.login.multifactor.added", payload: { mfaType: 2 } }, { multiFactors: [1, 2] }],
    [
      { type: "instance.policy.login.idpprovider.added", payload: { idpConfigId: "idp" } },
      { loginIdpIds: ["idp"] },
    ],
  ])("%j changes what it names and nothing else", (event, changed) => {
    expect(settingsOf(instance(event))).toEqual({ ...settingsOf(instance()), ...changed });
  });

  it("that takes an identity provider out leaves the others in", () => {
    const added = (idpConfigId: string): SettingsEvent => ({
      type: "instance.policy.login.idpprovider.added",
      payload: { idpConfigId },
    });
    const removed: SettingsEvent = {
      type: "instance.policy.login.idpprovider.removed",
      payload: { idpConfigId: "one" },
    };
    expect(settingsOf(instance(added("one"), added("two"), removed)).loginIdpIds).toEqual(["two"]);
  });

  const recipe = (state: InstanceState, purpose: Parameters<typeof codeRecipe>[1]) =>
    codeRecipe({ instance: async () => state }, purpose);
  const generator = (generatorType: number, changes: object = {}): SettingsEvent => ({
    type: "instance.secret.generator.changed",
    payload: { ...digitsOnly, generatorType, length: 4, lifetimeMs: 1_000, ...changes },
  });

  it.each([
    ["verifyEmail", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 6, HOUR_MS],
    ["verifyPhone", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 6, HOUR_MS],
    ["passwordReset", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 6, HOUR_MS],
    ["passkeyRegistration", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 12, HOUR_MS],
    ["otpSms", "0123456789", 8, 300_000],
    ["otpEmail", "0123456789", 8, 300_000],
  ] as const)(
    "leaves the codes for %s alone that it does not name",
    async (purpose, symbols, length, lifetimeMs) => {
      const types = {
        verifyEmail: 2,
        verifyPhone: 3,
        passwordReset: 4,
        passkeyRegistration: 5,
        otpSms: 7,
        otpEmail: 8,
      };
      const others = Object.values(types).filter((type) => type !== types[purpose]);
      const state = instance(...others.map((type) => generator(type)));
      expect(await recipe(state, purpose)).toEqual({ symbols, length, lifetimeMs });
      expect(await recipe(instance(generator(types[purpose])), purpose)).toEqual({
        symbols: "0123456789",
        length: 4,
        lifetimeMs: 1_000,
      });
    },
  );

  it("of a generator takes each kind of symbol it names", async () => {
    const kinds = { lowerLetters: "a", upperLetters: "A", digits: "0", symbols: "!" };
    const none = { ...digitsOnly, digits: false };
    for (const [kind, first] of Object.entries(kinds)) {
      const { symbols } = await recipe(instance(generator(7, { ...none, [kind]: true })), "otpSms");
      expect(symbols[0]).toBe(first);
      expect(new Set(symbols).size).toBe(symbols.length);
    }
    const all = { lowerLetters: true, upperLetters: true, digits: true, symbols: true };
    expect((await recipe(instance(generator(7, all)), "otpSms")).symbols).toHaveLength(26 + 26 + 10 + 12);
  });

  it.each([0, 315_576_000_000_000])(
    "of a generator with a lifetime of %d ms makes codes that end in a date",
    async (ms) => {
      const { lifetimeMs } = await recipe(instance(generator(7, { lifetimeMs: ms })), "otpSms");
      expect(lifetimeMs).toBeGreaterThan(900 * 365 * 24 * HOUR_MS);
      expect(new Date(Date.now() + lifetimeMs).toISOString()).toMatch(/^\d{4}-/);
    },
  );
});
