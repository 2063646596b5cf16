import type { Logger } from "pino";
import { DomainError } from "../errors.ts";
import { type HeaderFields, type NodeRequest, type NodeResponse, sendBytes } from "./node-http.ts";

export type Health = {
  /** False once the process is told to stop. */
  serving: () => boolean;
  /** Resolves when calls can be answered; rejects with the check that fails. */
  ready: () => Promise<void>;
  /** What there is to count, in Prometheus text format; without it nothing is counted. */
  metrics?: () => Promise<string>;
};

const json = { "content-type": "application/json" };
const text = { "content-type": "text/plain; charset=utf-8" };
const prometheus = { "content-type": "text/plain; version=0.0.4; charset=utf-8" };

/**
 * What orchestrators and load balancers ask, without a token: `/debug/healthz` (alive), `/debug/ready` (able to work),
 * `/healthz` (the gateway's form of the gRPC health check), `/debug/metrics` (counts, for Prometheus).
 * @returns false if the path is none of these
 */
export function answerDebugEndpoint(
  path: string,
  request: NodeRequest,
  response: NodeResponse,
  headers: HeaderFields,
  health: Health,
  logger: Logger,
): boolean {
  const send = (status: number, type: HeaderFields, body: string) =>
    sendBytes(response, status, { ...headers, ...type, "cache-control": "no-store" }, body);

  const { metrics } = health;
  const isCount = path === "/debug/metrics" && metrics !== undefined;
  if (path !== "/debug/healthz" && path !== "/debug/ready" && path !== "/healthz" && !isCount) return false;
  if (request.method !== "GET" && request.method !== "HEAD") {
    sendBytes(response, 405, { ...headers, allow: "GET, HEAD" });
  } else if (path === "/debug/healthz") {
    send(200, text, "ok");
  } else if (path === "/healthz") {
    if (health.serving()) send(200, json, '{"status":"SERVING"}');
    else send(503, json, '{"status":"NOT_SERVING"}');
  } else if (isCount) {
    void metrics().then((counts) => send(200, prometheus, counts));
  } else {
    health.ready().then(
      () => send(200, json, '"ok"'),
      (error: unknown) => {
        logger.warn({ err: error }, "not ready");
        send(412, json, JSON.stringify(error instanceof DomainError ? error.message : "not ready"));
      },
    );
  }
  return true;
}
