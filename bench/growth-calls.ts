import { SessionControlService } from "../src/gen/gatehouse/session/v1/session_control_service_pb.js";
import { encodeApiCall } from "./api.ts";
import type { GrownDatabase } from "./growth-database.ts";
import type { Load } from "./load-generator.ts";
import { encodeSetMetadata, encodeSignIn } from "./session-calls.ts";
import type { SessionSupply } from "./session-supply.ts";
import { encodeCall } from "./wire.ts";

/** What is called: begin a session, read, change, end one, and the first page of a person's. */
export const growthCalls = ["create", "get", "set", "end", "list"] as const;
export type GrowthCall = (typeof growthCalls)[number];

type Target = Pick<Load, "origin" | "serverPid" | "protocol" | "requests" | "atMost">;

/** @param toEnd how many sessions to have at hand for ending them */
export async function loadOf(
  call: GrowthCall,
  { node, userIds, sessionIds }: Pick<GrownDatabase, "node" | "userIds" | "sessionIds">,
  supply: SessionSupply,
  toEnd: number,
): Promise<Target> {
  const { origin, pid: serverPid, bearer } = node;
  const target = { origin, serverPid, protocol: "Connect JSON" } as const;
  switch (call) {
    case "create":
      return { ...target, requests: shuffled(userIds).map((id) => encodeSignIn(id, undefined, bearer)) };
    case "get": {
      const read = (sessionId: string) =>
        encodeCall("Connect JSON", "GetSession", { sessionId, sessionToken: "" }, bearer);
      return { ...target, requests: shuffled(sessionIds).map(read) };
    }
    case "set": {
      const change = (sessionId: string) => encodeSetMetadata(sessionId, String(Math.random()), bearer);
      return { ...target, requests: shuffled(sessionIds).map(change) };
    }
    case "end":
      return supply.load({ rpc: "DeleteSession", protocol: "Connect JSON", count: toEnd });
    case "list": {
      const { searchSessions } = SessionControlService.method;
      const list = (id: string) => encodeApiCall(searchSessions, { filter: { userIds: [id] } }, bearer);
      return { ...target, protocol: "Connect binary", requests: shuffled(userIds).map(list) };
    }
  }
}

/** More would only take time to be sent to the load generator. */
const MOST_REQUESTS = 5_000;

function shuffled<T>(values: readonly T[]): T[] {
  const keyed = values.map((value) => ({ value, key: Math.random() }));
  return keyed
    .sort((a, b) => a.key - b.key)
    .slice(0, MOST_REQUESTS)
    .map(({ value }) => value);
}
