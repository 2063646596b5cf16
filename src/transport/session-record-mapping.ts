import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type EndingSchema,
  Entitlement as EntitlementNumber,
  type SessionRecordSchema,
} from "../gen/gatehouse/session/v1/session_pb.js";
import type { Ended } from "../session/ending/overdue.ts";
import type { KnownSession } from "../session/search-sessions.ts";
import type { Entitlement } from "../storage/tables.ts";
import { endReasons, sessionStatuses } from "./session-filter-mapping.ts";
import { toSession } from "./session-mapping.ts";

export function toSessionRecord({
  record,
  standing,
  ended,
}: KnownSession): MessageInitShape<typeof SessionRecordSchema> {
  const { creatorId, lastUsedAt, idleLifetime } = record.session;
  return {
    session: toSession(record),
    status: sessionStatuses[standing],
    ending: ended && toEnding(ended),
    creatorId,
    lastUsedAt: timestampFromDate(lastUsedAt),
    idleLifetime: idleLifetime === null ? undefined : durationFromMs(idleLifetime),
  };
}

function toEnding({
  reason,
  at,
  actorId,
  entitlement,
  operationId,
}: Ended): MessageInitShape<typeof EndingSchema> {
  return {
    reason: endReasons[reason],
    endedAt: timestampFromDate(at),
    actorId: actorId ?? "",
    entitlement: entitlement === undefined ? undefined : entitlements[entitlement],
    operationId: operationId ?? "",
  };
}

const entitlements = {
  own: EntitlementNumber.OWN,
  token: EntitlementNumber.TOKEN,
  permission: EntitlementNumber.PERMISSION,
} as const satisfies { [entitlement in Entitlement]: EntitlementNumber };
