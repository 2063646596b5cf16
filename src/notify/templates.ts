import type { MailKind, MessageText, SmsKind } from "./message.ts";

/** What the words are made of. */
export type TextFacts = {
  code: string;
  /** Only of a passkey registration: the code counts together with it. */
  codeId?: string | undefined;
  displayName: string;
  /** Who writes: the server's host name. */
  domain: string;
  /** How long the code is good for, from the moment it was asked for. */
  lifetimeMs: number;
};

/** The words of a mail. The subject holds no code: subjects are shown on locked screens. */
export function mailText(kind: MailKind, facts: TextFacts): MessageText {
  const { title, preHeader, buttonText, text } = mailParts(kind, facts);
  const name = oneLine(facts.displayName);
  return {
    title,
    preHeader,
    subject: `${title} (${oneLine(facts.domain)})`,
    greeting: name === "" ? "Hello," : `Hello ${name},`,
    text,
    buttonText,
  };
}

/**
 * The words of a text message, `text` alone: one SMS, unless the domain is long.
 *
 * No line for autofill is appended (`@host #code`): its host would have to be the login page's, and browsers refuse to
 * fill in the code anywhere else.
 */
export function smsText(kind: SmsKind, { code, domain, lifetimeMs }: TextFacts): MessageText {
  const purpose = {
    VerifySMSOTP: "is your sign-in code",
    VerifyPhone: "confirms your phone number",
    PasswordReset: "is the code to set a new password",
  }[kind];
  const text = `${code} ${purpose} at ${oneLine(domain)}. Good for ${durationInWords(lifetimeMs)}. Give it to nobody.`;
  return { title: "", preHeader: "", subject: "", greeting: "", text, buttonText: "" };
}

type MailParts = Omit<MessageText, "subject" | "greeting">;

function mailParts(kind: MailKind, { code, codeId, lifetimeMs }: TextFacts): MailParts {
  const expires = `It works once, and for ${durationInWords(lifetimeMs)} after it was asked for.`;
  switch (kind) {
    case "VerifyEmailOTP":
      return {
        title: "Your sign-in code",
        preHeader: "Enter it where you are signing in.",
        buttonText: "Continue signing in",
        text: `Your code is ${code}. Enter it where you are signing in. ${expires} If you are not signing in, ignore this mail and give the code to nobody.`,
      };
    case "VerifyEmail":
      return {
        title: "Confirm your e-mail address",
        preHeader: "One step, and we know this address is yours.",
        buttonText: "Confirm the address",
        text: `Somebody, we think you, gave this address as theirs. The code that confirms it is ${code}. ${expires} If it was not you, ignore this mail.`,
      };
    case "PasswordReset":
      return {
        title: "Set a new password",
        preHeader: "The code for your new password.",
        buttonText: "Set a new password",
        text: `A new password was asked for. The code to set it is ${code}. ${expires} If you did not ask, ignore this mail: your password stays as it is.`,
      };
    case "PasskeyRegistration":
      return {
        title: "Add a passkey",
        preHeader: "An invitation to sign in without a password.",
        buttonText: "Add a passkey",
        text: `You can add a passkey to your account. The code is ${code}${codeId ? `, its number ${codeId}` : ""}. ${expires} If you did not expect this, ignore this mail.`,
      };
  }
}

/** `5 minutes`, `1 hour`: whole units, rounded down, so that the words never promise more than the code holds. */
export function durationInWords(ms: number): string {
  if (ms >= 3_600_000 && ms % 3_600_000 === 0) return counted(ms / 3_600_000, "hour");
  if (ms >= 60_000) return counted(Math.floor(ms / 60_000), "minute");
  return counted(Math.max(0, Math.floor(ms / 1_000)), "second");
}

const counted = (count: number, unit: string): string => `${count} ${unit}${count === 1 ? "" : "s"}`;

// A display name is the user's own choice: it must not become paragraphs of a mail somebody else gets.
const oneLine = (text: string): string =>
  text
    .replace(/[\p{C}\p{Z}]+/gu, " ")
    .trim()
    .slice(0, 100);
