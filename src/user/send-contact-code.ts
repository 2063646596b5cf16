import type { Caller } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import { type ContactKind, codeIssuer, type VerificationChoice, verificationOf } from "./contact.ts";
import { type ContactAnswer, entitlementFor, storeWithCode } from "./contact-answer.ts";
import type { UserDependencies } from "./dependencies.ts";
import { person } from "./set-contact.ts";

export type SendContactCode = VerificationChoice & {
  userId: string;
  /** Only in place of one that is open, expired or not. */
  again: boolean;
};

/**
 * Makes a new code for an e-mail address or a phone number; an open one is void.
 * @throws DomainError `auth.permission_denied`, `user.contact_not_found`, `user.email_code_missing`,
 *   `user.phone_code_missing`, `notification.url_template_…`
 */
export function sendContactCode(
  dependencies: UserDependencies,
  caller: Caller,
  kind: ContactKind,
  { userId, again, ...choice }: SendContactCode,
): Promise<ContactAnswer> {
  const { events, users } = dependencies;
  return events.decide(userId, async () => {
    const user = person(caller, await users.find(userId), entitlementFor(choice.verification));
    if (user[kind] === null || (again && user[`${kind}Code`] === null)) {
      throw new DomainError(`user.${kind}_code_missing`);
    }
    const issue = await codeIssuer(dependencies);
    const code = verificationOf(userId, kind, choice, issue);
    return storeWithCode(dependencies, caller, user, code);
  });
}
