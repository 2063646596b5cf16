import type { Caller } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import { changeProofs } from "./change-proofs.ts";
import {
  type ContactInput,
  type ContactKind,
  changeEmail,
  changePhone,
  codeIssuer,
  normalizedEmail,
  normalizedPhone,
} from "./contact.ts";
import { type ContactAnswer, entitlementFor, storeWithCode } from "./contact-answer.ts";
import type { UserDependencies } from "./dependencies.ts";
import { accessible, type Entitlement } from "./permissions.ts";
import type { UserState } from "./user.ts";

export type SetContact = ContactInput & { userId: string };

/**
 * Gives a person another e-mail address or phone number: verified at once, or by a code. The old one stays where codes
 * go until the new one is verified.
 * @throws DomainError `auth.permission_denied`, `user.contact_not_found`, `user.contact_unchanged`, what the value is
 *   refused with, `notification.url_template_…`
 */
export function setContact(
  dependencies: UserDependencies,
  caller: Caller,
  kind: ContactKind,
  { userId, ...contact }: SetContact,
): Promise<ContactAnswer> {
  const { events, users } = dependencies;
  return events.decide(userId, async () => {
    const user = person(caller, await users.find(userId), entitlementFor(contact.verification));
    if (newValue(kind, contact.text) === user[kind]) throw new DomainError("user.contact_unchanged");
    const changeContact = kind === "email" ? changeEmail : changePhone;
    return storeWithCode(
      dependencies,
      caller,
      user,
      changeContact(user, contact, await codeIssuer(dependencies)),
    );
  });
}

/**
 * Takes a person's phone number away, and with it the codes by SMS. None there is no error.
 * @throws DomainError `auth.permission_denied`, `user.contact_not_found`
 */
export function removePhone(
  dependencies: UserDependencies,
  caller: Caller,
  userId: string,
): Promise<Details> {
  const { events, users } = dependencies;
  return events.decide(userId, async () => {
    const user = person(caller, await users.find(userId), "selfOrPermission");
    if (user.phone === null) return detailsOf(user, user.organizationId);
    const removed = { type: "user.human.phone.removed", payload: {} } as const;
    const { user: changed, others } = await changeProofs(dependencies, caller, user, [removed]);
    return detailsOf(changed.state, user.organizationId, await events.append([changed, ...others]));
  });
}

/** @throws DomainError `auth.permission_denied`, `user.contact_not_found`: a service account has no address either */
export function person(caller: Caller, found: UserState | undefined, entitlement: Entitlement): UserState {
  const user = accessible(caller, found, "user.write", "user.contact_not_found", entitlement);
  if (user.type !== "human") throw new DomainError("user.contact_not_found");
  return user;
}

function newValue(kind: ContactKind, text: string): string {
  const value = kind === "email" ? normalizedEmail(text) : normalizedPhone(text);
  // Taking a number away is a request of its own.
  if (value === null) throw new DomainError("user.phone_invalid");
  return value;
}
