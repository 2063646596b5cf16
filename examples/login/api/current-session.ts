import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import type { Session } from "../../../src/gen/zitadel/session/v2/session_pb.js";
import type { GatehouseClients } from "./gatehouse-clients.ts";
import { type HeldSession, heldSession } from "./session-cookie.ts";

/** What the calls of the page are answered with. */
export type Api = {
  gatehouseUrl: string;
  loginClient: GatehouseClients;
  /** The relying party id of passkeys and security keys: the host name of the page. */
  domain: string;
  /** Hands a one-time code to its receiver. Not through the browser: it would prove nothing there. */
  deliver(line: string): void;
};

export type CurrentSession = { held: HeldSession; session: Session; userId: string };

/**
 * The session of the browser that asks, read with its own token. Whom the page acts for is known from here alone: no
 * session id, token or user id that a browser writes into a request is ever used.
 *
 * The token is what matters. GetSession, SetSession and DeleteSession without one go by the permissions of the caller,
 * and the caller is the login client, who may read, change and end every session there is.
 * @throws ConnectError UNAUTHENTICATED if the browser holds no session, or one that is over
 */
export async function currentSession(
  { loginClient }: Api,
  { requestHeader }: HandlerContext,
): Promise<CurrentSession> {
  const held = heldSession(requestHeader);
  if (held === undefined) throw nobody();
  const { session } = await loginClient.sessions.getSession(held).catch((reason) => {
    const { code } = ConnectError.from(reason);
    throw code === Code.NotFound || code === Code.PermissionDenied ? nobody() : reason;
  });
  const userId = session?.factors?.user?.id;
  const isExpired = session?.expirationDate && timestampMs(session.expirationDate) <= Date.now();
  if (!session || !userId || isExpired) throw nobody();
  return { held, session, userId };
}

/** Like `currentSession`, once the person has proven something: a login name alone opens nothing. */
export async function provenSession(api: Api, context: HandlerContext): Promise<CurrentSession> {
  const current = await currentSession(api, context);
  if (!isProven(current.session)) throw nobody();
  return current;
}

/** Whether the first step is done: the password, or a passkey. A security key alone is no first step. */
export function isProven({ factors }: Session): boolean {
  return factors?.password !== undefined || factors?.webAuthN?.userVerified === true;
}

const nobody = () => new ConnectError("nobody is signed in", Code.Unauthenticated);
