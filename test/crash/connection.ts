import { once } from "node:events";
import * as http2 from "node:http2";
import { ADMIN_TOKEN } from "../support/test-config.ts";
import type { ServingProcess } from "./gatehouse-process.ts";
import { until } from "./poll.ts";
import type { Answer } from "./session-calls.ts";

/** One HTTP/2 connection, which is one worker's as long as it lasts. */
export class Connection {
  readonly #session: http2.ClientHttp2Session;
  /** Process id of the worker. */
  readonly pid: number;

  private constructor(session: http2.ClientHttp2Session, pid: number) {
    this.#session = session;
    this.pid = pid;
  }

  static async to(server: ServingProcess): Promise<Connection> {
    const session = http2.connect(server.url);
    session.on("error", () => {});
    await once(session, "connect");
    // The server says by its log which process answered.
    const { requestId } = await exchange(session, "zitadel.session.v2.SessionService/ListSessions", {
      query: { limit: 1 },
    });
    const line = await until("the call in the log", () =>
      server.logs.find((each) => each.msg === "call" && each.requestId === requestId),
    );
    return new Connection(session, Number(line.pid));
  }

  /** @param path `zitadel.session.v2.SessionService/GetSession`; the service is that one if none is named */
  async call(path: string, message: object, bearer?: string): Promise<Answer> {
    const full = path.includes("/") ? path : `zitadel.session.v2.SessionService/${path}`;
    const { status, text } = await exchange(this.#session, full, message, bearer);
    const body = JSON.parse(text) as Record<string, unknown>;
    return status === 200
      ? { code: "ok", message: "", body }
      : { code: String(body.code), message: String(body.message), body };
  }

  close(): void {
    this.#session.destroy();
  }
}

async function exchange(
  session: http2.ClientHttp2Session,
  path: string,
  message: object,
  bearer = ADMIN_TOKEN,
): Promise<{ status: number; requestId: string; text: string }> {
  const stream = session.request({
    ":method": "POST",
    ":path": `/${path}`,
    "content-type": "application/json",
    authorization: `Bearer ${bearer}`,
  });
  const response = once(stream, "response");
  stream.end(JSON.stringify(message));
  const [headers] = (await response) as [http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader];
  let text = "";
  for await (const chunk of stream.setEncoding("utf8")) text += chunk;
  return { status: Number(headers[":status"]), requestId: String(headers["x-request-id"]), text };
}
