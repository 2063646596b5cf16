import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { SessionService } from "../../../src/gen/zitadel/session/v2/session_service_pb.js";
import { UserService } from "../../../src/gen/zitadel/user/v2/user_service_pb.js";

/**
 * Gatehouse, as far as the login server lets a page go. Requests name neither session nor user: the login server knows
 * both from its cookie.
 */
const transport = createConnectTransport({ baseUrl: `${location.origin}/api` });

export const sessions = createClient(SessionService, transport);
export const users = createClient(UserService, transport);
