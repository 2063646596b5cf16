import type { ErrorSlug } from "../errors.ts";
import type { WireError } from "./wire-error.ts";
export const userErrors = {} as Record<Extract<ErrorSlug, `user.${string}` | `organization.${string}` | `administrator.${string}`>, WireError>;
