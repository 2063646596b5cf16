import type { ServiceImpl } from "@connectrpc/connect";
import type { SessionControlService } from "../gen/gatehouse/session/v1/session_control_service_pb.js";
import type { SessionDependencies } from "../session/dependencies.ts";
import { setIdleLifetime } from "../session/set-idle-lifetime.ts";
import { toDetails } from "./details-mapping.ts";
import { callerOf } from "./interceptors/authenticate.ts";
import { fromLifetime } from "./session-settings-mapping.ts";

/** How long a session may go unused. */
export function sessionIdleCalls(dependencies: SessionDependencies) {
  return {
    async setIdleLifetime({ sessionId, idleLifetime }, context) {
      const command = { sessionId, idleLifetimeMs: fromLifetime(idleLifetime) };
      return { details: toDetails(await setIdleLifetime(dependencies, callerOf(context), command)) };
    },
  } satisfies Partial<ServiceImpl<typeof SessionControlService>>;
}
