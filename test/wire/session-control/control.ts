import type { DescMethod, JsonObject } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { SessionControlService } from "../../../src/gen/gatehouse/session/v1/session_control_service_pb.js";
import { UserService } from "../../../src/gen/zitadel/user/v2/user_service_pb.js";
import { anyCall } from "../../support/any-method.ts";
import type { House } from "../../support/fixtures.ts";
import type { Protocol } from "../protocols.ts";

/** A `SessionRecord` as JSON. */
export type RecordJson = {
  session: {
    id: string;
    creationDate: string;
    changeDate: string;
    sequence: string;
    expirationDate?: string;
  } & JsonObject;
  status: string;
  ending?: { reason: string; endedAt: string; actorId?: string; entitlement?: string; operationId?: string };
  creatorId: string;
  lastUsedAt: string;
  idleLifetime?: string;
};

export type Found = {
  sessions?: RecordJson[];
  nextCursor?: string;
  total?: string;
  totalCapped?: boolean;
  timestamp: string;
};

export type EventJson = {
  sequence: string;
  type: string;
  createdAt: string;
  actorId: string;
  payload: JsonObject;
};

/** The calls of SessionControlService as somebody, in JSON. */
export function control(house: House, { token }: { token: string }, protocol: Protocol = "Connect") {
  const { method } = SessionControlService;
  // The address anew for every call, since the server may have moved.
  const ask = <R>(descriptor: DescMethod, request: JsonObject) =>
    anyCall(house.url, token, protocol)(descriptor, request) as Promise<unknown> as Promise<R>;
  return {
    search: (request: JsonObject = {}) => ask<Found>(method.searchSessions, request),
    get: async (sessionId: string, asOf?: string) => {
      const request = { sessionId, ...(asOf === undefined ? {} : { asOf }) };
      return (await ask<{ session: RecordJson }>(method.getSession, request)).session;
    },
    events: (sessionId: string, more: JsonObject = {}) =>
      ask<{ events?: EventJson[]; hasMore?: boolean }>(method.listSessionEvents, { sessionId, ...more }),
    end: (request: JsonObject) => ask<{ operation: { id: string } }>(method.endSessions, request),
    lock: (userId: string) => ask(UserService.method.lockUser, { userId }),
  };
}

export const idsOf = ({ sessions = [] }: Found): string[] => sessions.map(({ session }) => session.id);

/** What a call is refused with: code and text. @throws if it succeeds */
export async function refusalText(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (thrown) => thrown,
  );
  if (error instanceof ConnectError) return error.message;
  throw error ?? new Error("expected a refusal");
}
