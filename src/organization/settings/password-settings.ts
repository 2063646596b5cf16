import type { Caller } from "../../auth/caller.ts";
import { DomainError } from "../../errors.ts";
import type { Details } from "../../storage/details.ts";
import type { PasswordAge, PasswordComplexity } from "../../storage/instance-settings.ts";
import { changeInstance, type SettingsDependencies, sameSetting } from "./change-instance.ts";
import { settingsOf } from "./settings.ts";

/** Longer than this no hasher that existing servers use takes a password (bcrypt reads 72 bytes). */
const MAX_MIN_LENGTH = 72;

/**
 * Changes what new passwords must be made of; those that are set stay as they are.
 * @throws DomainError `auth.permission_denied`, `settings.min_length_invalid`
 */
export function changePasswordComplexity(
  dependencies: SettingsDependencies,
  caller: Caller,
  complexity: PasswordComplexity,
): Promise<Details> {
  return changeInstance(dependencies, caller, "iam.policy.write", (instance) => {
    if (complexity.minLength < 1 || complexity.minLength > MAX_MIN_LENGTH) {
      throw new DomainError("settings.min_length_invalid");
    }
    return sameSetting(complexity, settingsOf(instance).passwordComplexity)
      ? undefined
      : { type: "instance.policy.password.complexity.changed", payload: complexity };
  });
}

/** @throws DomainError `auth.permission_denied` */
export function changePasswordAge(
  dependencies: SettingsDependencies,
  caller: Caller,
  age: PasswordAge,
): Promise<Details> {
  return changeInstance(dependencies, caller, "iam.policy.write", (instance) =>
    sameSetting(age, settingsOf(instance).passwordAge)
      ? undefined
      : { type: "instance.policy.password.age.changed", payload: age },
  );
}
