import type { MailKind, Message, MessageKind, SmsKind } from "../notify/message.ts";
import { mailText, smsText } from "../notify/templates.ts";
import { type LinkKind, readUrlTemplate, type UrlValues } from "../notify/url-template.ts";
import type { NotificationState } from "./notification.ts";
import type { MessageSubject, StoredContent } from "./notifications.ts";

/** Who writes, as messages name it. */
export type Sender = { domain: string; origin: string };

/**
 * A stored message in words.
 * @param code in the clear
 * @throws DomainError `notification.url_template_…`; it was checked when the message was stored
 */
export function composeMessage(
  { id, kind, channel, recipient, content }: NotificationState,
  code: string,
  { domain, origin }: Sender,
): Message {
  const { about, lifetimeMs, variables, urlTemplate } = content as unknown as StoredContent;
  const facts = {
    code,
    codeId: variables.CodeID,
    displayName: variables.DisplayName ?? "",
    domain,
    lifetimeMs,
  };
  const link = linkKinds[kind as MessageKind];
  return {
    id,
    kind: kind as MessageKind,
    channel,
    recipient,
    eventType: eventTypeOf(about),
    content: channel === "email" ? mailText(kind as MailKind, facts) : smsText(kind as SmsKind, facts),
    // Values that are not known are empty in the link.
    url:
      urlTemplate === undefined || link === undefined
        ? undefined
        : readUrlTemplate(link, urlTemplate)({ ...variables, Code: code } as UrlValues<LinkKind>),
    args: {
      ...uncapitalized(variables),
      code,
      otp: code,
      // Nanoseconds, as receivers know durations.
      expiry: lifetimeMs * 1e6,
      domain,
      origin,
    },
  };
}

const linkKinds: { readonly [kind in MessageKind]?: LinkKind } = {
  VerifyEmailOTP: "otpEmail",
  VerifyEmail: "verifyEmail",
  PasswordReset: "passwordReset",
  PasskeyRegistration: "passkeyRegistration",
};

/** The event that asked for the message, as receivers of webhooks know it. */
function eventTypeOf({ part }: MessageSubject): string {
  switch (part) {
    case "otp_sms":
      return "session.otp.sms.challenged";
    case "otp_email":
      return "session.otp.email.challenged";
    case "email_code":
      return "user.human.email.code.added";
    case "phone_code":
      return "user.human.phone.code.added";
    case "password_code":
      return "user.human.password.code.added";
    default:
      return "user.human.passwordless.initialization.code.requested";
  }
}

const uncapitalized = (variables: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [name[0]!.toLowerCase() + name.slice(1), value]),
  );
