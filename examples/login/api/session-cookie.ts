/** The session of one browser: its id, and its current token. */
export type HeldSession = { sessionId: string; sessionToken: string };

// Cookies of "localhost" are shared by all its ports, hence the long name.
const NAME = "gatehouse-example-login";
// HttpOnly: no script reads the token, not even the page's own. Behind https, add Secure and the prefix __Host-.
const ATTRIBUTES = "Path=/; HttpOnly; SameSite=Strict";

/** @returns undefined unless both parts are there: a request with an empty token must never reach Gatehouse */
export function heldSession(requestHeader: Headers): HeldSession | undefined {
  const cookies = requestHeader.get("cookie")?.split("; ") ?? [];
  const cookie = cookies.find((candidate) => candidate.startsWith(`${NAME}=`));
  const [sessionId, sessionToken] = cookie?.slice(NAME.length + 1).split(":") ?? [];
  return sessionId && sessionToken ? { sessionId, sessionToken } : undefined;
}

export function keepSession(responseHeader: Headers, { sessionId, sessionToken }: HeldSession): void {
  responseHeader.append("set-cookie", `${NAME}=${sessionId}:${sessionToken}; ${ATTRIBUTES}`);
}

export function dropSession(responseHeader: Headers): void {
  responseHeader.append("set-cookie", `${NAME}=; ${ATTRIBUTES}; Max-Age=0`);
}
