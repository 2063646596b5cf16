import type { Engine } from "../support/databases.ts";

export const protocols = ["REST", "Connect", "gRPC", "gRPC-Web"] as const;
export type Protocol = (typeof protocols)[number];

/**
 * Two of the protocols for each database, and all four for both. What a protocol does to a message and what a database
 * does to a statement are no business of each other, so every pair would be twice the time for nothing.
 */
export function protocolsOn(engine: Engine): readonly Protocol[] {
  return engine === "pglite" ? ["REST", "gRPC"] : ["Connect", "gRPC-Web"];
}
