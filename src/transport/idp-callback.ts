import type { Logger } from "pino";
import { DomainError } from "../errors.ts";
import type { FinishedIntent } from "../idp/finish-intent.ts";
import { elapsedMs } from "./call.ts";
import type { Exchange } from "./exchange.ts";
import { type NodeRequest, readBody, sendBytes } from "./node-http.ts";

/** Where identity providers send browsers back to. */
export const IDP_CALLBACK_PATH = "/idps/callback";

/** What a provider sends is short. */
const MAX_FORM_BYTES = 64 * 1024;

/**
 * Ends a walk to an identity provider: a browser comes back with the provider's answer, in the query or in a form, and
 * is sent on to where the walk's starter wanted it. It goes nowhere else, whatever the request says.
 * @param finish resolves to undefined for a state that belongs to no walk under way
 */
export function idpCallback(
  finish: (parameters: URLSearchParams) => Promise<FinishedIntent | undefined>,
  logger: Logger,
): (exchange: Exchange) => Promise<number> {
  return async ({ request, response, call, search, headers }) => {
    const send = (status: number, extra: Record<string, string>, body?: string): number => {
      const common = { ...headers, "x-request-id": call.requestId, "cache-control": "no-store" };
      // The address holds a code or a token, which the next page need not know.
      sendBytes(response, status, { ...common, "referrer-policy": "no-referrer", ...extra }, body);
      return status;
    };
    const page = (status: number, body: string) =>
      send(status, { "content-type": "text/plain; charset=utf-8" }, `${body}\n`);

    if (request.method !== "GET" && request.method !== "POST") return send(405, { allow: "GET, POST" });
    const parameters = await parametersOf(request, search);
    let finished: FinishedIntent | undefined;
    try {
      finished = parameters && (await finish(parameters));
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      logger.warn({ err: error, requestId: call.requestId }, "a walk to an identity provider was not ended");
      return page(503, "Something is out of order here. Please start again in a moment.");
    }
    if (finished === undefined) {
      return page(400, "This sign-in is unknown, over, or took too long. Please start again.");
    }
    const { intentId, outcome, location } = finished;
    call.began = true;
    // Neither query nor body are in the line: they hold codes.
    const line = { intentId, outcome, requestId: call.requestId, durationMs: elapsedMs(call) };
    logger.info(line, "a walk to an identity provider has ended");
    return send(302, { location });
  };
}

/** Query and form together; undefined if the body is none. */
async function parametersOf(request: NodeRequest, search: string): Promise<URLSearchParams | undefined> {
  const parameters = new URLSearchParams(search);
  if (request.method === "GET") return parameters;
  if (!request.headers["content-type"]?.startsWith("application/x-www-form-urlencoded")) return undefined;
  const body = await readBody(request, MAX_FORM_BYTES).catch(() => undefined);
  if (body === undefined) return undefined;
  for (const [name, value] of new URLSearchParams(Buffer.from(body).toString())) {
    parameters.append(name, value);
  }
  return parameters;
}
