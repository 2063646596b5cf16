import type { Caller } from "../auth/caller.ts";
import { alphabetOf } from "../crypto/one-time-code.ts";
import { DomainError } from "../errors.ts";
import type { Details } from "../storage/details.ts";
import type { InstanceSettings, SecretGenerator } from "../storage/instance-settings.ts";
import type { OrganizationRepository } from "../storage/organization-repository.ts";
import { changeInstance, type SettingsDependencies, sameSetting } from "./settings/change-instance.ts";

/** What a code is for. */
export type CodePurpose =
  | "verifyEmail"
  | "verifyPhone"
  | "passwordReset"
  | "passkeyRegistration"
  | "otpSms"
  | "otpEmail";

/** How a code is made, and how long it is good for. */
export type CodeRecipe = { symbols: string; length: number; lifetimeMs: number };

const HOUR_MS = 3_600_000;
const FIVE_MINUTES_MS = 300_000;
/** Stands for "never" where an instant is wanted: a date every database and every client can write. */
const MILLENNIUM_MS = 1_000 * 365 * 24 * HOUR_MS;

const digitsOnly = { lowerLetters: false, upperLetters: false, digits: true, symbols: false };
const upperAndDigits = { ...digitsOnly, upperLetters: true };
const sent: SecretGenerator = { ...digitsOnly, length: 8, lifetimeMs: FIVE_MINUTES_MS };
const typed: SecretGenerator = { ...upperAndDigits, length: 6, lifetimeMs: HOUR_MS };

/**
 * By purpose: number of `zitadel.settings.v1.SecretGeneratorType`, what a fresh instance makes codes by (spec user-slice
 * §18.2), and how long a code the requests that take it accept.
 */
const purposes: {
  readonly [purpose in CodePurpose]: { type: number; fresh: SecretGenerator; maxLength: number };
} = {
  verifyEmail: { type: 2, fresh: typed, maxLength: 20 },
  verifyPhone: { type: 3, fresh: typed, maxLength: 20 },
  passwordReset: { type: 4, fresh: typed, maxLength: 20 },
  passkeyRegistration: {
    type: 5,
    fresh: { ...upperAndDigits, lowerLetters: true, length: 12, lifetimeMs: HOUR_MS },
    maxLength: 200,
  },
  otpSms: { type: 7, fresh: sent, maxLength: 200 },
  otpEmail: { type: 8, fresh: sent, maxLength: 200 },
};

/** The instance's recipe for this kind of code. */
export async function codeRecipe(
  organizations: Pick<OrganizationRepository, "instance">,
  purpose: CodePurpose,
): Promise<CodeRecipe> {
  const instance = await organizations.instance();
  const { length, lifetimeMs, ...alphabet } = generatorOf(instance!, purpose);
  // The contract knows longer lifetimes than there are dates.
  const bounded = lifetimeMs === 0 ? MILLENNIUM_MS : Math.min(lifetimeMs, MILLENNIUM_MS);
  return { symbols: alphabetOf(alphabet), length, lifetimeMs: bounded };
}

/**
 * Changes how the codes of one kind are made from now on.
 * @param type number of `zitadel.settings.v1.SecretGeneratorType`; kinds this server makes no codes of are kept too
 * @throws DomainError `auth.permission_denied`, `settings.generator_length_invalid`,
 *   `settings.generator_alphabet_empty`
 */
export function changeSecretGenerator(
  dependencies: SettingsDependencies,
  caller: Caller,
  type: number,
  generator: SecretGenerator,
): Promise<Details> {
  return changeInstance(dependencies, caller, "iam.write", (instance) => {
    const known = Object.values(purposes).find((purpose) => purpose.type === type);
    const maxLength = known?.maxLength ?? 200;
    if (generator.length < 1 || generator.length > maxLength) {
      throw new DomainError("settings.generator_length_invalid");
    }
    if (alphabetOf(generator) === "") throw new DomainError("settings.generator_alphabet_empty");
    const current = instance.settings.secretGenerators?.[type] ?? known?.fresh;
    return current && sameSetting(generator, current)
      ? undefined
      : { type: "instance.secret.generator.changed", payload: { ...generator, generatorType: type } };
  });
}

function generatorOf({ settings }: { settings: InstanceSettings }, purpose: CodePurpose): SecretGenerator {
  const { type, fresh } = purposes[purpose];
  return settings.secretGenerators?.[type] ?? fresh;
}
