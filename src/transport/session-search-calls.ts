import type { ServiceImpl } from "@connectrpc/connect";
import type { SessionControlService } from "../gen/gatehouse/session/v1/session_control_service_pb.js";
import type { SessionDependencies } from "../session/dependencies.ts";
import { searchSessions } from "../session/search-sessions.ts";
import { callerOf } from "./interceptors/authenticate.ts";
import { fromSearchSessions, toSearchSessionsResponse } from "./session-search-mapping.ts";

/** Finding sessions, and what is known of them. */
export function sessionSearchCalls(dependencies: SessionDependencies) {
  return {
    async searchSessions(request, context) {
      const found = await searchSessions(dependencies, callerOf(context), fromSearchSessions(request));
      return toSearchSessionsResponse(found);
    },
  } satisfies Partial<ServiceImpl<typeof SessionControlService>>;
}
