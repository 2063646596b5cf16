import { parsePhoneNumberFromString } from "libphonenumber-js/min";
import { DomainError } from "../errors.ts";
import { readUrlTemplate } from "../notify/url-template.ts";
import { codeRecipe } from "../organization/secret-generators.ts";
import type { OrganizationRepository } from "../storage/organization-repository.ts";
import type { UserEvent } from "./events.ts";
import { type IssuedCode, issueCode, type UnsentCode } from "./issued-code.ts";
import type { UserState } from "./user.ts";

/** How an address or a number gets verified: `none` is what a request without a choice means, a code that is sent. */
export type Verification = "none" | "send" | "return" | "verified";

/** `urlTemplate`: of the link in the mail; none, no link. */
export type VerificationChoice = { verification: Verification; urlTemplate?: string | undefined };

/** An e-mail address or a phone number as given; an empty number stands for no phone. */
export type ContactInput = VerificationChoice & { text: string };

/** Local part and labels as browsers take them (HTML Standard, "valid e-mail address"). */
const EMAIL_PATTERN =
  /^[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i;

/** Where a number without a country code is taken to be from. */
const DEFAULT_REGION = "CH";

/** @throws DomainError `user.email_empty`, `user.email_invalid` */
export function normalizedEmail(text: string): string {
  const address = text.trim();
  if (address === "") throw new DomainError("user.email_empty");
  if (!EMAIL_PATTERN.test(address)) throw new DomainError("user.email_invalid");
  return address;
}

/**
 * A phone number in E.164 form.
 * @returns null for an empty text
 * @throws DomainError `user.phone_invalid`
 */
export function normalizedPhone(text: string): string | null {
  if (text.trim() === "") return null;
  const number = parsePhoneNumberFromString(text.trim(), { defaultCountry: DEFAULT_REGION, extract: false });
  if (!number?.isPossible()) throw new DomainError("user.phone_invalid");
  return number.number;
}

export type ContactKind = "email" | "phone";

export type CodeIssuer = (userId: string, kind: ContactKind) => IssuedCode;

/** Codes by the instance's recipes, bound to the user and the kind. */
export async function codeIssuer(dependencies: {
  organizations: OrganizationRepository;
  encryptionKey: Uint8Array;
  clock: () => Date;
}): Promise<CodeIssuer> {
  const { organizations } = dependencies;
  const [email, phone] = await Promise.all([
    codeRecipe(organizations, "verifyEmail"),
    codeRecipe(organizations, "verifyPhone"),
  ]);
  const recipes = { email, phone };
  return (userId, kind) => issueCode(dependencies, recipes[kind], userId, `${kind}_code`);
}

/** What a contact's change makes of the user, and its code: back to the caller, or on its way. */
export type ContactChange = { events: UserEvent[]; returned?: string; unsent?: UnsentCode };

/**
 * A new address or number: verified at once, or by a code.
 * @throws DomainError `notification.url_template_malformed`, `notification.url_template_variable_unknown`
 */
export function verificationOf(
  userId: string,
  kind: ContactKind,
  { verification, urlTemplate }: VerificationChoice,
  issue: CodeIssuer,
): ContactChange {
  if (verification === "verified") return { events: [{ type: `user.human.${kind}.verified`, payload: {} }] };
  if (urlTemplate !== undefined) readUrlTemplate("verifyEmail", urlTemplate);
  const code = issue(userId, kind);
  const events: UserEvent[] = [{ type: `user.human.${kind}.code.added`, payload: code.payload }];
  return verification === "return"
    ? { events, returned: code.text }
    : { events, unsent: { ...code, part: `${kind}_code`, channel: channels[kind], urlTemplate } };
}

const channels = { email: "email", phone: "sms" } as const;

/** @throws DomainError `user.email_empty`, `user.email_invalid` */
export function changeEmail(
  user: UserState,
  { text, ...choice }: ContactInput,
  issue: CodeIssuer,
): ContactChange {
  const email = normalizedEmail(text);
  if (email === user.email) return sameContact(user.id, "email", user.emailVerified, choice, issue);
  const verified = verificationOf(user.id, "email", choice, issue);
  return {
    ...verified,
    events: [{ type: "user.human.email.changed", payload: { email } }, ...verified.events],
  };
}

/** @throws DomainError `user.phone_invalid` */
export function changePhone(
  user: UserState,
  { text, ...choice }: ContactInput,
  issue: CodeIssuer,
): ContactChange {
  const phone = normalizedPhone(text);
  if (phone === null) {
    return { events: user.phone === null ? [] : [{ type: "user.human.phone.removed", payload: {} }] };
  }
  if (phone === user.phone) return sameContact(user.id, "phone", user.phoneVerified, choice, issue);
  const verified = verificationOf(user.id, "phone", choice, issue);
  return {
    ...verified,
    events: [{ type: "user.human.phone.changed", payload: { phone } }, ...verified.events],
  };
}

// The same value again changes nothing, unless the request says what is to become of its verification.
function sameContact(
  userId: string,
  kind: ContactKind,
  isVerified: boolean,
  choice: VerificationChoice,
  issue: CodeIssuer,
): ContactChange {
  return isVerified || choice.verification === "none"
    ? { events: [] }
    : verificationOf(userId, kind, choice, issue);
}
