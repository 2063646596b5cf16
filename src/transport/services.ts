import type { ConnectRouter } from "@connectrpc/connect";
import { SessionService } from "../gen/zitadel/session/v2/session_service_pb.js";
import type { SessionDependencies } from "../session/dependencies.ts";
import { sessionService } from "./session-service.ts";

export type ServiceDependencies = {
  sessions: SessionDependencies;
};

/** Every service of the contract. */
export function registerServices(router: ConnectRouter, { sessions }: ServiceDependencies): void {
  router.service(SessionService, sessionService(sessions));
}
