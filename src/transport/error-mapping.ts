import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { PasswordHashQueueFull } from "../crypto/password-hasher.ts";
import { DomainError, type ErrorSlug } from "../errors.ts";
import { CredentialsCheckErrorSchema, ErrorDetailSchema } from "../gen/zitadel/message_pb.js";
import { idpErrors } from "./idp-error-table.ts";
import { notificationErrors } from "./notification-error-table.ts";
import { sessionErrors } from "./session-error-table.ts";
import { settingsErrors } from "./settings-error-table.ts";
import { userErrors } from "./user-error-table.ts";
import { userFactorErrors } from "./user-factor-error-table.ts";
import { userWebAuthNErrors } from "./user-web-authn-error-table.ts";
import type { WireError } from "./wire-error.ts";

/**
 * A slug's code and wire id. Ids are the ones existing clients compare where there is one, else of the same form.
 * `null`: the error goes without id and without detail. An empty id keeps its parentheses: `text ()`.
 */
const wireErrors: Record<ErrorSlug, WireError> = {
  ...userErrors,
  ...userFactorErrors,
  ...userWebAuthNErrors,
  ...idpErrors,
  ...notificationErrors,
  ...sessionErrors,
  ...settingsErrors,
  "auth.header_missing": { code: Code.Unauthenticated, id: null },
  "auth.header_invalid": { code: Code.Unauthenticated, id: "AUTH-toLo1" },
  "auth.token_invalid": { code: Code.Unauthenticated, id: "AUTH-7fs1e" },
  "auth.organization_unknown": { code: Code.PermissionDenied, id: "AUTH-Bs7Ds" },
  "auth.permission_denied": { code: Code.PermissionDenied, id: "AUTH-AWfge" },
  "auth.method_permission_denied": { code: Code.PermissionDenied, id: "AUTH-5mWD2" },
  "auth.session_not_found": { code: Code.NotFound, id: "QUERY-SFeaa" },
  "auth.session_token_stale": { code: Code.PermissionDenied, id: "QUERY-dsfr3" },
  "auth.session_expired": { code: Code.PermissionDenied, id: "AUTHZ-EGDo3" },
  "auth.authentication_required": { code: Code.PermissionDenied, id: "AUTHZ-Kl3p0" },
  "auth.mfa_required": { code: Code.PermissionDenied, id: "AUTHZ-Kl3p0" },

  "list.limit_exceeded": { code: Code.InvalidArgument, id: "GATE-L1m1t" },

  "storage.unavailable": { code: Code.Unavailable, id: "GATE-Db9Un" },
  "storage.conflict": { code: Code.Aborted, id: "GATE-C0nfl" },
  "storage.locked": { code: Code.Unavailable, id: "GATE-L0ckd" },
  "storage.newer_schema": { code: Code.Unavailable, id: "GATE-N3wer" },
};

/**
 * What a caller sees of an error: code, `text (id)`, and one detail with both. Errors that are no refusal of ours
 * become INTERNAL with the request id as the only clue; the cause is for the log.
 */
export function toConnectError(error: unknown, requestId: string): ConnectError {
  if (error instanceof ConnectError) return error;
  if (error instanceof DomainError) return fromDomain(error);
  if (error instanceof PasswordHashQueueFull) {
    return new ConnectError("too many password checks at once, try again", Code.ResourceExhausted);
  }
  return new ConnectError(`internal error, request ${requestId}`, Code.Internal);
}

function fromDomain(error: DomainError): ConnectError {
  const { code, id, credentials } = wireErrors[error.slug];
  if (id === null) return new ConnectError(error.message, code);
  return new ConnectError(`${error.message} (${id})`, code, undefined, [
    credentials
      ? detail(CredentialsCheckErrorSchema, {
          id,
          message: error.message,
          failedAttempts: error.failedAttempts ?? 0,
        })
      : detail(ErrorDetailSchema, { id, message: error.message }),
  ]);
}

function detail<Desc extends DescMessage>(desc: Desc, value: MessageInitShape<Desc>) {
  return { desc, value: create(desc, value) as MessageInitShape<Desc> };
}
