import type { InstanceSettings } from "../storage/instance-settings.ts";
import { settingsOf } from "./settings/settings.ts";

/** A second factor a user can have set up. */
export type SecondFactorType = "totp" | "u2f" | "otpEmail" | "otpSms";

/** By number of `zitadel.policy.v1.SecondFactorType`. Recovery codes are none: they stand in for one. */
const types: { readonly [number: number]: SecondFactorType } = {
  1: "totp",
  2: "u2f",
  3: "otpEmail",
  4: "otpSms",
};

export type SecondFactorPolicy = {
  /** Which of a user's second factors oblige to use one. */
  allowed: readonly SecondFactorType[];
  /** Whether everybody is obliged, or everybody who signs in without an identity provider. */
  forced: "always" | "locally" | "never";
};

/** What the login settings say about signing in with more than one factor. */
export function secondFactorPolicy(settings: InstanceSettings): SecondFactorPolicy {
  const { secondFactors, login } = settingsOf({ settings });
  return {
    allowed: secondFactors.map((number) => types[number]).filter((type) => type !== undefined),
    forced: login.forceMfa ? "always" : login.forceMfaLocalOnly ? "locally" : "never",
  };
}
