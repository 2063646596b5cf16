import type { ServerResponse } from "node:http";
import { pino } from "pino";
import { listen } from "../src/transport/listener.ts";
import { answerCalls } from "./child.ts";
import { callOf, emptyAnswer, protocols, rpcs } from "./wire.ts";

export type EmptyServer = {
  /** @returns its origin */
  start(nothing: undefined): Promise<string>;
};

/**
 * What Node itself can do: Gatehouse's listener with a handler that reads the request and answers the same bytes every
 * time. No routing to speak of, no decoding, no caller, no database.
 */
async function start(): Promise<string> {
  const answers = new Map(
    protocols.flatMap((protocol) => rpcs.map((rpc) => [`${protocol} ${rpc}`, emptyAnswer(protocol, rpc)])),
  );
  const { port } = await listen({
    host: "127.0.0.1",
    port: 0,
    logger: pino({ level: "silent" }),
    handler: (request, response) => {
      request.resume().once("end", () => {
        const { protocol, rpc } = callOf(request.method!, request.url!, request.headers["content-type"]);
        const { status, headers, trailers, body } = answers.get(`${protocol} ${rpc}`)!;
        const out = response as ServerResponse;
        out.writeHead(status, headers);
        out.addTrailers(trailers);
        out.end(body);
      });
    },
  });
  return `http://127.0.0.1:${port}`;
}

answerCalls({ start } satisfies EmptyServer);
