import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  EndReason as EndReasonNumber,
  Factor,
  type SessionFilter as SessionFilterMessage,
  type SessionFilterSchema,
  SessionStatus as SessionStatusNumber,
} from "../gen/gatehouse/session/v1/session_pb.js";
import type { SessionFactor, SessionFilter, SessionStatus } from "../storage/session-filter.ts";
import type { EndReason } from "../storage/tables.ts";

/** An empty list says nothing, so it is left out. */
export function fromFilter(message: SessionFilterMessage | undefined): SessionFilter {
  if (message === undefined) return {};
  const { createdFrom, createdBefore } = message;
  const metadata = Object.entries(message.metadata).map(([key, value]) => [
    key,
    Buffer.from(value).toString("base64"),
  ]);
  return {
    ...list("ids", message.sessionIds),
    ...list("userIds", message.userIds),
    ...list("organizationIds", message.organizationIds),
    ...list("creatorIds", message.creatorIds),
    ...list("fingerprintIds", message.fingerprintIds),
    ...list("addresses", message.addresses),
    ...(createdFrom ? { createdFrom: timestampDate(createdFrom).toISOString() } : {}),
    ...(createdBefore ? { createdBefore: timestampDate(createdBefore).toISOString() } : {}),
    ...list("factorsPresent", message.factorsPresent.map(from(factors))),
    ...list("factorsMissing", message.factorsMissing.map(from(factors))),
    ...(metadata.length === 0 ? {} : { metadata: Object.fromEntries(metadata) }),
    ...list("exceptIds", message.exceptSessionIds),
    ...list("statuses", message.statuses.map(from(sessionStatuses))),
    ...list("reasons", message.reasons.map(from(endReasons))),
  };
}

export function toFilter(filter: SessionFilter): MessageInitShape<typeof SessionFilterSchema> {
  const { createdFrom, createdBefore, metadata = {} } = filter;
  return {
    sessionIds: [...(filter.ids ?? [])],
    userIds: [...(filter.userIds ?? [])],
    organizationIds: [...(filter.organizationIds ?? [])],
    creatorIds: [...(filter.creatorIds ?? [])],
    fingerprintIds: [...(filter.fingerprintIds ?? [])],
    addresses: [...(filter.addresses ?? [])],
    createdFrom: createdFrom === undefined ? undefined : timestampFromDate(new Date(createdFrom)),
    createdBefore: createdBefore === undefined ? undefined : timestampFromDate(new Date(createdBefore)),
    factorsPresent: (filter.factorsPresent ?? []).map((factor) => factors[factor]),
    factorsMissing: (filter.factorsMissing ?? []).map((factor) => factors[factor]),
    metadata: Object.fromEntries(
      Object.entries(metadata).map(([key, value]) => [key, Buffer.from(value, "base64")]),
    ),
    exceptSessionIds: [...(filter.exceptIds ?? [])],
    statuses: (filter.statuses ?? []).map((status) => sessionStatuses[status]),
    reasons: (filter.reasons ?? []).map((reason) => endReasons[reason]),
  };
}

const factors = {
  user: Factor.USER,
  password: Factor.PASSWORD,
  webAuthN: Factor.WEB_AUTH_N,
  intent: Factor.INTENT,
  totp: Factor.TOTP,
  otpSms: Factor.OTP_SMS,
  otpEmail: Factor.OTP_EMAIL,
  recoveryCode: Factor.RECOVERY_CODE,
} as const satisfies { [factor in SessionFactor]: Factor };

export const sessionStatuses = {
  active: SessionStatusNumber.ACTIVE,
  expired: SessionStatusNumber.EXPIRED,
  ended: SessionStatusNumber.ENDED,
} as const satisfies { [status in SessionStatus]: SessionStatusNumber };

export const endReasons = {
  terminated: EndReasonNumber.TERMINATED,
  expired: EndReasonNumber.EXPIRED,
  user_locked: EndReasonNumber.USER_LOCKED,
  user_deactivated: EndReasonNumber.USER_DEACTIVATED,
  user_deleted: EndReasonNumber.USER_DELETED,
  password_changed: EndReasonNumber.PASSWORD_CHANGED,
  factor_removed: EndReasonNumber.FACTOR_REMOVED,
  ended_by_filter: EndReasonNumber.ENDED_BY_FILTER,
  replaced: EndReasonNumber.REPLACED,
  organization_removed: EndReasonNumber.ORGANIZATION_REMOVED,
} as const satisfies { [reason in EndReason]: EndReasonNumber };

function list<K extends string, T>(key: K, values: readonly T[]): { [key in K]?: readonly T[] } {
  return values.length === 0 ? {} : ({ [key]: values } as { [key in K]: readonly T[] });
}

/** The name of a number; validation has refused those without one. */
function from<N extends string>(numbers: { [name in N]: number }): (number: number) => N {
  const names = new Map(Object.entries<number>(numbers).map(([name, number]) => [number, name as N]));
  return (number) => names.get(number)!;
}
