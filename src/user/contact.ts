import { parsePhoneNumberFromString } from "libphonenumber-js/min";
import { codeAlphabets, oneTimeCode } from "../crypto/one-time-code.ts";
import { sealText } from "../crypto/sealed-text.ts";
import { DomainError } from "../errors.ts";
import type { UserEvent } from "./events.ts";
import type { UserState } from "./user.ts";

/** How an address or a number gets verified: `none` is what a request without a choice means, a code that is sent. */
export type Verification = "none" | "send" | "return" | "verified";

/** An e-mail address or a phone number as given; an empty number stands for no phone. */
export type ContactInput = { text: string; verification: Verification };

/** Local part and labels as browsers take them (HTML Standard, "valid e-mail address"). */
const EMAIL_PATTERN =
  /^[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i;

/** Where a number without a country code is taken to be from. */
const DEFAULT_REGION = "CH";

const CODE_LENGTH = 6;
const CODE_LIFETIME_MS = 3_600_000;

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

/** A fresh code: the text for its owner, and what is stored of it. */
export type IssuedCode = { text: string; payload: { code: string; expiresAt: string } };

export type CodeIssuer = (userId: string, kind: ContactKind) => IssuedCode;

/** Codes of six upper case letters and digits, good for an hour (spec user-slice §5); bound to the user and the kind. */
export function codeIssuer({
  encryptionKey,
  clock,
}: {
  encryptionKey: Uint8Array;
  clock: () => Date;
}): CodeIssuer {
  return (userId, kind) => {
    const text = oneTimeCode(codeAlphabets.upperAndDigits, CODE_LENGTH);
    return {
      text,
      payload: {
        code: sealText(encryptionKey, text, `user/${userId}/${kind}_code`),
        expiresAt: new Date(clock().getTime() + CODE_LIFETIME_MS).toISOString(),
      },
    };
  };
}

/** What a contact's change makes of the user, and the code if it goes back to the caller. */
export type ContactChange = { events: UserEvent[]; returned?: string };

/** A new address or number: verified at once, or by a code. */
export function verificationOf(
  userId: string,
  kind: ContactKind,
  verification: Verification,
  issue: CodeIssuer,
): ContactChange {
  if (verification === "verified") return { events: [{ type: `user.human.${kind}.verified`, payload: {} }] };
  const { text, payload } = issue(userId, kind);
  const events: UserEvent[] = [{ type: `user.human.${kind}.code.added`, payload }];
  return verification === "return" ? { events, returned: text } : { events };
}

/** @throws DomainError `user.email_empty`, `user.email_invalid` */
export function changeEmail(
  user: UserState,
  { text, verification }: ContactInput,
  issue: CodeIssuer,
): ContactChange {
  const email = normalizedEmail(text);
  if (email === user.email) return sameContact(user.id, "email", user.emailVerified, verification, issue);
  const verified = verificationOf(user.id, "email", verification, issue);
  return {
    ...verified,
    events: [{ type: "user.human.email.changed", payload: { email } }, ...verified.events],
  };
}

/** @throws DomainError `user.phone_invalid` */
export function changePhone(
  user: UserState,
  { text, verification }: ContactInput,
  issue: CodeIssuer,
): ContactChange {
  const phone = normalizedPhone(text);
  if (phone === null) {
    return { events: user.phone === null ? [] : [{ type: "user.human.phone.removed", payload: {} }] };
  }
  if (phone === user.phone) return sameContact(user.id, "phone", user.phoneVerified, verification, issue);
  const verified = verificationOf(user.id, "phone", verification, issue);
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
  verification: Verification,
  issue: CodeIssuer,
): ContactChange {
  return isVerified || verification === "none"
    ? { events: [] }
    : verificationOf(userId, kind, verification, issue);
}
