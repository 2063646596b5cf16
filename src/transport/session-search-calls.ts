import type { ServiceImpl } from "@connectrpc/connect";
import type { SessionControlService } from "../gen/gatehouse/session/v1/session_control_service_pb.js";
import type { SessionDependencies } from "../session/dependencies.ts";

export function sessionSearchCalls(_dependencies: SessionDependencies) {
  return {} satisfies Partial<ServiceImpl<typeof SessionControlService>>;
}
