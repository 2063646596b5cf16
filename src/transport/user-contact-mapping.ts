import type { SetHumanEmail } from "../gen/zitadel/user/v2/email_pb.js";
import { NotificationType } from "../gen/zitadel/user/v2/password_pb.js";
import type { SetHumanPhone } from "../gen/zitadel/user/v2/phone_pb.js";
import type {
  PasswordResetRequest,
  ResendEmailCodeRequest,
  ResendPhoneCodeRequest,
  SendEmailCodeRequest,
  SetEmailRequest,
  SetPhoneRequest,
} from "../gen/zitadel/user/v2/user_service_pb.js";
import type { VerificationChoice } from "../user/contact.ts";
import type { PasswordReset } from "../user/password-reset.ts";
import type { SendContactCode } from "../user/send-contact-code.ts";
import type { SetContact } from "../user/set-contact.ts";

type VerificationMessage = SetHumanEmail["verification"] | SetHumanPhone["verification"];

/** How an address is to be verified; a link is for mails only, so a phone's choice has no template. */
export function fromVerification(verification: VerificationMessage): VerificationChoice {
  switch (verification.case) {
    case "sendCode": {
      const urlTemplate = "urlTemplate" in verification.value ? verification.value.urlTemplate : undefined;
      return { verification: "send", ...(urlTemplate === undefined ? {} : { urlTemplate }) };
    }
    case "returnCode":
      return { verification: "return" };
    case "isVerified":
      return { verification: verification.value ? "verified" : "none" };
    default:
      return { verification: "none" };
  }
}

export function fromSetEmail({ userId, email, verification }: SetEmailRequest): SetContact {
  return { userId, text: email, ...fromVerification(verification) };
}

export function fromSetPhone({ userId, phone, verification }: SetPhoneRequest): SetContact {
  return { userId, text: phone, ...fromVerification(verification) };
}

/** @param again what tells ResendEmailCode and SendEmailCode apart */
export function fromCodeRequest(
  { userId, verification }: ResendEmailCodeRequest | SendEmailCodeRequest | ResendPhoneCodeRequest,
  { again }: { again: boolean },
): SendContactCode {
  return { userId, ...fromVerification(verification), again };
}

export function fromPasswordReset({ userId, medium }: PasswordResetRequest): PasswordReset {
  if (medium.case === "returnCode") return { userId, medium: "return" };
  const isSms = medium.value?.notificationType === NotificationType.SMS;
  return { userId, medium: { channel: isSms ? "sms" : "email", urlTemplate: medium.value?.urlTemplate } };
}
