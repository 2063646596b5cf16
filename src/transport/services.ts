import type { DescService } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import { SessionService } from "../gen/zitadel/session/v2/session_service_pb.js";
import { SessionService as SessionServiceV2Beta } from "../gen/zitadel/session/v2beta/session_service_pb.js";
import type { SessionDependencies } from "../session/dependencies.ts";
import { healthService, type Serving } from "./health-service.ts";
import { reflectionService } from "./reflection-service.ts";
import { sameWireShape } from "./same-wire-shape.ts";
import { sessionService } from "./session-service.ts";

export type ServiceDependencies = {
  sessions: SessionDependencies;
};

/**
 * Every service of the contract, and the two that speak about them.
 * @param services all of them, once they are registered
 */
export function registerServices(
  router: ConnectRouter,
  dependencies: ServiceDependencies,
  serving: Serving,
  services: () => readonly DescService[],
): void {
  const sessions = sessionService(dependencies.sessions);
  router.service(SessionService, sessions);
  router.service(SessionServiceV2Beta, sameWireShape(SessionServiceV2Beta, SessionService, sessions));
  healthService(router, serving, services);
  reflectionService(router, services);
}
