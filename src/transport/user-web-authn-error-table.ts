import { Code } from "@connectrpc/connect";
import type { ErrorSlug } from "../errors.ts";
import type { WireError } from "./wire-error.ts";

/** What the registration of passkeys and security keys is refused with. */
export const userWebAuthNErrors = {
  "user.web_auth_n_user_not_found": { code: Code.FailedPrecondition, id: "COMMAND-Df4b3" },
  "user.web_auth_n_domain_invalid": { code: Code.InvalidArgument, id: "GATE-W3bRp" },
  "user.web_auth_n_too_many": { code: Code.FailedPrecondition, id: "GATE-W3bMx" },
  "user.web_auth_n_none_pending": { code: Code.FailedPrecondition, id: "WEBAU-5M9so" },
  "user.web_auth_n_other_pending": { code: Code.NotFound, id: "WEBAU-5M9so" },
  "user.web_auth_n_expired": { code: Code.FailedPrecondition, id: "GATE-W3bEr" },
  "user.web_auth_n_malformed": { code: Code.InvalidArgument, id: "WEBAU-sEr8c" },
  "user.web_auth_n_invalid": { code: Code.InvalidArgument, id: "WEBAU-3Vb9s" },
  "user.web_auth_n_exists": { code: Code.AlreadyExists, id: "GATE-W3bDu" },
  "user.web_auth_n_not_found": { code: Code.NotFound, id: "COMMAND-DAfb2" },
  "user.passkey_code_invalid": { code: Code.InvalidArgument, id: "COMMAND-Eeb2a" },
} satisfies Partial<Record<ErrorSlug, WireError>>;
