import type { ServiceImpl } from "@connectrpc/connect";
import type { SessionControlService } from "../gen/gatehouse/session/v1/session_control_service_pb.js";
import type { SessionDependencies } from "../session/dependencies.ts";
import { sessionEndingCalls } from "./session-ending-calls.ts";
import { sessionIdleCalls } from "./session-idle-calls.ts";
import { sessionSearchCalls } from "./session-search-calls.ts";

/** `gatehouse.session.v1.SessionControlService`: what ZITADEL's sessions have no words for. */
export function sessionControlService(
  dependencies: SessionDependencies,
): Partial<ServiceImpl<typeof SessionControlService>> {
  return {
    ...sessionEndingCalls(dependencies),
    ...sessionIdleCalls(dependencies),
    ...sessionSearchCalls(dependencies),
  };
}
