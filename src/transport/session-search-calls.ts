import type { JsonObject } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { SessionControlService } from "../gen/gatehouse/session/v1/session_control_service_pb.js";
import type { SessionDependencies } from "../session/dependencies.ts";
import { listSessionEvents } from "../session/list-session-events.ts";
import { readSession } from "../session/read-session.ts";
import { searchSessions } from "../session/search-sessions.ts";
import { callerOf } from "./interceptors/authenticate.ts";
import { toSessionRecord } from "./session-record-mapping.ts";
import { fromSearchSessions, toSearchSessionsResponse } from "./session-search-mapping.ts";

/** Finding sessions, and what is known of them. */
export function sessionSearchCalls(dependencies: SessionDependencies) {
  return {
    async searchSessions(request, context) {
      const found = await searchSessions(dependencies, callerOf(context), fromSearchSessions(request));
      return toSearchSessionsResponse(found);
    },
    async getSession({ sessionId, asOf }, context) {
      const query = { sessionId, asOf: asOf && timestampDate(asOf) };
      return { session: toSessionRecord(await readSession(dependencies, callerOf(context), query)) };
    },
    async listSessionEvents({ sessionId, afterSequence, limit }, context) {
      const { events, hasMore } = await listSessionEvents(dependencies, callerOf(context), {
        sessionId,
        // Past the last is past the last; the database takes no more than 63 bits.
        afterSequence: Math.min(Number(afterSequence), Number.MAX_SAFE_INTEGER),
        limit,
      });
      return {
        events: events.map(({ sequence, type, createdAt, actorId, payload }) => ({
          sequence: BigInt(sequence),
          type,
          createdAt: timestampFromDate(createdAt),
          actorId,
          payload: payload as JsonObject,
        })),
        hasMore,
      };
    },
  } satisfies Partial<ServiceImpl<typeof SessionControlService>>;
}
