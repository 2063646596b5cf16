import { Code } from "@connectrpc/connect";
import type { ErrorSlug } from "../errors.ts";
import type { WireError } from "./wire-error.ts";

/** What settings are refused with. */
export const settingsErrors = {
  "settings.min_length_invalid": { code: Code.InvalidArgument, id: "GATE-S3tMl" },
  "settings.redirect_uri_invalid": { code: Code.InvalidArgument, id: "GATE-S3tRd" },
  "settings.duration_invalid": { code: Code.InvalidArgument, id: "GATE-S3tDu" },
  "settings.generator_length_invalid": { code: Code.InvalidArgument, id: "GATE-S3tGl" },
  "settings.generator_alphabet_empty": { code: Code.InvalidArgument, id: "GATE-S3tGa" },
  "settings.lockout_exists": { code: Code.AlreadyExists, id: "GATE-S3tLe" },
  "settings.lockout_not_found": { code: Code.NotFound, id: "GATE-S3tLn" },
  "settings.factor_exists": { code: Code.AlreadyExists, id: "GATE-S3tFe" },
  "settings.factor_not_found": { code: Code.NotFound, id: "GATE-S3tFn" },
  "settings.idp_not_found": { code: Code.FailedPrecondition, id: "GATE-S3tIn" },
  "settings.idp_exists": { code: Code.AlreadyExists, id: "GATE-S3tIe" },
  "settings.max_lifetime_invalid": { code: Code.InvalidArgument, id: "GATE-S3tMx" },
  "settings.concurrency_invalid": { code: Code.InvalidArgument, id: "GATE-S3tCo" },
  "settings.fold_after_days_invalid": { code: Code.InvalidArgument, id: "GATE-S3tFo" },
  "settings.remove_after_days_invalid": { code: Code.InvalidArgument, id: "GATE-S3tRm" },
  "settings.retention_order_invalid": { code: Code.InvalidArgument, id: "GATE-S3tRo" },
  "settings.idp_not_offered": { code: Code.NotFound, id: "GATE-S3tIo" },
} satisfies Partial<Record<ErrorSlug, WireError>>;
