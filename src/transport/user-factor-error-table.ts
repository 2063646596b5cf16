import { Code } from "@connectrpc/connect";
import type { ErrorSlug } from "../errors.ts";
import type { WireError } from "./wire-error.ts";

/** What the set-up of authenticator apps, codes by SMS and e-mail, and recovery codes is refused with. */
export const userFactorErrors = {
  "user.totp_user_not_found": { code: Code.FailedPrecondition, id: "COMMAND-SqyJz" },
  "user.totp_exists": { code: Code.AlreadyExists, id: "COMMAND-do9se" },
  "user.totp_not_registered": { code: Code.NotFound, id: "COMMAND-3Mif9s" },
  "user.totp_ready": { code: Code.FailedPrecondition, id: "COMMAND-qx4ls" },
  "user.totp_code_invalid": { code: Code.InvalidArgument, id: "EVENT-8isk2" },
  "user.totp_not_found": { code: Code.NotFound, id: "COMMAND-Hd9sd" },
  "user.totp_secret_invalid": { code: Code.InvalidArgument, id: "GATE-T0tpS" },

  "user.otp_user_not_found": { code: Code.FailedPrecondition, id: "GATE-0tpUs" },
  "user.otp_sms_exists": { code: Code.AlreadyExists, id: "COMMAND-Ad3g2" },
  "user.otp_sms_phone_unverified": { code: Code.FailedPrecondition, id: "COMMAND-Q54j2" },
  "user.otp_sms_not_found": { code: Code.NotFound, id: "COMMAND-Sr3h3" },
  "user.otp_email_exists": { code: Code.AlreadyExists, id: "COMMAND-MKL2s" },
  "user.otp_email_unverified": { code: Code.FailedPrecondition, id: "COMMAND-KLJ2d" },
  "user.otp_email_not_found": { code: Code.NotFound, id: "COMMAND-b312D" },

  "user.recovery_codes_user_not_found": { code: Code.FailedPrecondition, id: "GATE-R3cUs" },
  "user.recovery_codes_count_invalid": { code: Code.InvalidArgument, id: "COMMAND-7c0nx" },
  "user.recovery_codes_too_many": { code: Code.FailedPrecondition, id: "COMMAND-8f2k9" },
  "user.recovery_codes_locked": { code: Code.FailedPrecondition, id: "COMMAND-d9u8q" },
} satisfies Partial<Record<ErrorSlug, WireError>>;
