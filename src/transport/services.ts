import type { ConnectRouter } from "@connectrpc/connect";
import { SessionService } from "../gen/zitadel/session/v2/session_service_pb.js";
import { SessionService as SessionServiceV2Beta } from "../gen/zitadel/session/v2beta/session_service_pb.js";
import type { SessionDependencies } from "../session/dependencies.ts";
import { sameWireShape } from "./same-wire-shape.ts";
import { sessionService } from "./session-service.ts";

export type ServiceDependencies = {
  sessions: SessionDependencies;
};

/** Every service of the contract. */
export function registerServices(router: ConnectRouter, dependencies: ServiceDependencies): void {
  const sessions = sessionService(dependencies.sessions);
  router.service(SessionService, sessions);
  router.service(SessionServiceV2Beta, sameWireShape(SessionServiceV2Beta, SessionService, sessions));
}
