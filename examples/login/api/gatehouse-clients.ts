import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { SessionService } from "../../../src/gen/zitadel/session/v2/session_service_pb.js";
import { UserService } from "../../../src/gen/zitadel/user/v2/user_service_pb.js";

export type GatehouseClients = ReturnType<typeof gatehouseClients>;

/**
 * Gatehouse, called with one credential: the login client's token, or a session token, with which Gatehouse grants
 * what that session's user may do.
 */
export function gatehouseClients(baseUrl: string, token: string) {
  const present: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
  const transport = createConnectTransport({
    baseUrl,
    httpVersion: "1.1",
    interceptors: [plainErrors, present],
  });
  return {
    sessions: createClient(SessionService, transport),
    users: createClient(UserService, transport),
  };
}

/**
 * Leaves an error its code and its text, so that it may go on to the browser: the headers that came with it belong to
 * this server's own conversation with Gatehouse. That a credential is refused is this server's trouble, not the
 * browser's, which presents none.
 */
const plainErrors: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (reason) {
    const { code, rawMessage } = ConnectError.from(reason);
    if (code === Code.Unauthenticated) {
      throw new ConnectError("Gatehouse does not accept the login server's credential", Code.Internal);
    }
    throw new ConnectError(rawMessage, code);
  }
};
