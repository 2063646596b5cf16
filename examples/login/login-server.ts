import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { SessionService } from "../../src/gen/zitadel/session/v2/session_service_pb.js";
import { UserService } from "../../src/gen/zitadel/user/v2/user_service_pb.js";
import type { Api } from "./api/current-session.ts";
import { gatehouseClients } from "./api/gatehouse-clients.ts";
import { sessionCalls } from "./api/session-calls.ts";
import { userCalls } from "./api/user-calls.ts";
import { pageFiles } from "./page-files.ts";

export type LoginServerOptions = {
  gatehouseUrl: string;
  /** Of a machine user with IAM_LOGIN_CLIENT. It never leaves this process. */
  loginClientToken: string;
  /** 0: any free one. */
  port: number;
  /** Hands a one-time code to its receiver. */
  deliver: Api["deliver"];
};

export type LoginServer = { origin: string; close(): Promise<void> };

// The page's host, and with it the relying party id. Browsers take it for a secure place even without TLS.
const DOMAIN = "localhost";
const MAX_BODY_BYTES = 64 * 1024;

/**
 * Serves the page, and behind `/api` the methods of Gatehouse that the page may call.
 *
 * This server stands between the browser and Gatehouse because signing in takes a credential that may sign in anyone.
 * It keeps that credential to itself and hands on what `api/` lists; any other method is UNIMPLEMENTED here.
 */
export async function startLoginServer(options: LoginServerOptions): Promise<LoginServer> {
  const { gatehouseUrl, loginClientToken, port, deliver } = options;
  const loginClient = gatehouseClients(gatehouseUrl, loginClientToken);
  const api: Api = { gatehouseUrl, loginClient, domain: DOMAIN, deliver };
  const files = await pageFiles();
  const answerCall = connectNodeAdapter({
    requestPathPrefix: "/api",
    readMaxBytes: MAX_BODY_BYTES,
    routes: (router) =>
      router.service(SessionService, sessionCalls(api)).service(UserService, userCalls(api)),
  });
  const server = createServer(answer);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, "127.0.0.1", resolve);
  });
  const host = `${DOMAIN}:${(server.address() as AddressInfo).port}`;
  const origin = `http://${host}`;
  return {
    origin,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  function answer(request: IncomingMessage, response: ServerResponse): void {
    // Under any other name passkeys would not work, and a name that somebody else points here is an attack.
    if (request.headers.host !== host) {
      response.writeHead(307, { location: `${origin}/` }).end();
      return;
    }
    if (request.url?.startsWith("/api/")) {
      if (request.headers.origin === origin) answerCall(request, response);
      else response.writeHead(403).end();
      return;
    }
    const file = files.get(request.url ?? "");
    if (file === undefined) response.writeHead(404).end();
    else response.writeHead(200, { ...pageHeaders, "content-type": file.type }).end(file.content);
  }
}

const pageHeaders = {
  // Everything comes from here, nothing is inline, and no form is ever sent by the browser itself.
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join("; "),
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cross-origin-opener-policy": "same-origin",
  "cache-control": "no-cache",
};
