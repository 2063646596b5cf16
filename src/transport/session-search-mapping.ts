import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type SearchSessionsRequest,
  type SearchSessionsResponseSchema,
  SessionSort as SessionSortNumber,
  TotalMode,
} from "../gen/gatehouse/session/v1/session_control_service_pb.js";
import type { FoundSessions, SearchSessions } from "../session/search-sessions.ts";
import type { SessionSort } from "../storage/session-search.ts";
import { fromFilter } from "./session-filter-mapping.ts";
import { toSessionRecord } from "./session-record-mapping.ts";

export function fromSearchSessions(request: SearchSessionsRequest): SearchSessions {
  const { filter, sort, ascending, limit, cursor, total } = request;
  return { filter: fromFilter(filter), sort: sorts[sort], ascending, limit, cursor, total: totals[total] };
}

export function toSearchSessionsResponse({
  sessions,
  nextCursor,
  total,
  isTotalCapped,
  now,
}: FoundSessions): MessageInitShape<typeof SearchSessionsResponseSchema> {
  return {
    sessions: sessions.map(toSessionRecord),
    nextCursor,
    total: total === undefined ? undefined : BigInt(total),
    totalCapped: isTotalCapped,
    timestamp: timestampFromDate(now),
  };
}

const sorts: { [sort in SessionSortNumber]: SessionSort } = {
  [SessionSortNumber.UNSPECIFIED]: "creation",
  [SessionSortNumber.CREATION]: "creation",
  [SessionSortNumber.CHANGE]: "change",
  [SessionSortNumber.EXPIRATION]: "expiration",
  [SessionSortNumber.LAST_USE]: "lastUse",
};

const totals: { [mode in TotalMode]: SearchSessions["total"] } = {
  [TotalMode.UNSPECIFIED]: "none",
  [TotalMode.CAPPED]: "capped",
  [TotalMode.EXACT]: "exact",
};
