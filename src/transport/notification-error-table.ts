import { Code } from "@connectrpc/connect";
import type { ErrorSlug } from "../errors.ts";
import type { WireError } from "./wire-error.ts";

/** Codes and wire ids of what messages, their templates and their providers are refused with. */
export const notificationErrors = {
  "notification.url_template_malformed": { code: Code.InvalidArgument, id: "DOMAIN-oGh5e" },
  "notification.url_template_variable_unknown": { code: Code.InvalidArgument, id: "DOMAIN-ieYa7" },
  "notification.provider_invalid": { code: Code.InvalidArgument, id: "GATE-Pr0vi" },
  "notification.provider_not_found": { code: Code.NotFound, id: "GATE-Pr0vn" },
} satisfies Partial<Record<ErrorSlug, WireError>>;
