import { randomUUID } from "node:crypto";
import { type ContextKey, type ContextValues, createContextKey } from "@connectrpc/connect";

export type Protocol = "connect" | "grpc" | "grpc-web" | "rest";

/** What is known of a call before any message was read. */
export type Call = {
  readonly requestId: string;
  readonly protocol: Protocol;
  readonly startedAt: number;
  /** Whether its message was read and the interceptors have it; until then every failure is the request's fault. */
  began: boolean;
};

export const newCall = (protocol: Protocol): Call => ({
  requestId: randomUUID(),
  protocol,
  startedAt: performance.now(),
  began: false,
});

const callKey = createContextKey<Call | undefined>(undefined, { description: "call" });

export const contextOf = (call: Call): ContextValues => new CallValues().set(callKey, call);

/** The values of one call; Connect's own make three functions for each. */
class CallValues implements ContextValues {
  readonly #values = new Map<symbol, unknown>();

  get<T>({ id, defaultValue }: ContextKey<T>): T {
    return this.#values.has(id) ? (this.#values.get(id) as T) : defaultValue;
  }
  set<T>({ id }: ContextKey<T>, value: T): this {
    this.#values.set(id, value);
    return this;
  }
  delete({ id }: ContextKey<unknown>): this {
    this.#values.delete(id);
    return this;
  }
}

/** The call these values belong to; a caller that came by no listener gets a call of its own. */
export function callOf(values: ContextValues): Call {
  let call = values.get(callKey);
  if (call === undefined) {
    call = newCall("connect");
    values.set(callKey, call);
  }
  return call;
}

/** The protocol a content type announces. */
export function protocolOf(contentType: string | undefined): Protocol {
  if (!contentType?.startsWith("application/grpc")) return "connect";
  return contentType.startsWith("application/grpc-web") ? "grpc-web" : "grpc";
}

/** Milliseconds since the call arrived, to the microsecond. */
export const elapsedMs = (call: Call): number =>
  Math.round((performance.now() - call.startedAt) * 1000) / 1000;
