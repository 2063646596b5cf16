import { parsePasswordHash } from "../crypto/password-hash.ts";
import type { PasswordHasher } from "../crypto/password-hasher.ts";
import { DomainError, type ErrorSlug } from "../errors.ts";
import { settingsOf } from "../organization/settings/settings.ts";
import type { OrganizationRepository } from "../storage/organization-repository.ts";
import { checkPasswordPolicy } from "./password-policy.ts";

/** A password to set: in the clear, or hashed elsewhere. */
export type NewPassword = ({ password: string } | { hash: string }) & { changeRequired: boolean };

const hashRefusals = {
  unsupported: "user.hash_unsupported",
  out_of_bounds: "user.hash_out_of_bounds",
  malformed: "user.hash_malformed",
} as const satisfies Record<string, ErrorSlug>;

/**
 * The encoded hash to store. A hash made elsewhere says nothing of what the password is made of.
 * @throws DomainError what the instance's policy refuses, or `user.hash_unsupported`, `…_out_of_bounds`, `…_malformed`
 */
export async function encodePassword(
  {
    passwords,
    organizations,
  }: { passwords: PasswordHasher; organizations: Pick<OrganizationRepository, "instance"> },
  input: NewPassword,
): Promise<string> {
  if ("password" in input) {
    const instance = (await organizations.instance())!;
    checkPasswordPolicy(input.password, settingsOf(instance).passwordComplexity);
    return passwords.hash(input.password);
  }
  const parsed = parsePasswordHash(input.hash);
  if (!parsed.ok) throw new DomainError(hashRefusals[parsed.reason]);
  return input.hash;
}
