import { ADMIN_TOKEN } from "../support/test-config.ts";

/** An answer of the Connect protocol; `code` is "ok" or the error's. */
export type Answer = { code: string; message: string; body: Record<string, unknown> };

export type Details = { sequence: string; changeDate: string; creationDate: string; resourceOwner: string };

/** One RPC over Connect with JSON; rejects if there is no answer. */
export async function call(
  url: string,
  method: string,
  message: object,
  bearer = ADMIN_TOKEN,
): Promise<Answer> {
  const response = await fetch(`${url}/zitadel.session.v2.SessionService/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${bearer}` },
    body: JSON.stringify(message),
  });
  const body = (await response.json()) as Record<string, unknown>;
  return response.ok
    ? { code: "ok", message: "", body }
    : { code: String(body.code), message: String(body.message), body };
}

/** The five RPCs on one server, as the administrator or whoever the bearer token names. */
export class Sessions {
  readonly #url: string;
  readonly #bearer: string | undefined;

  constructor(url: string, bearer?: string) {
    this.#url = url;
    this.#bearer = bearer;
  }

  create(message: object = {}): Promise<Answer> {
    return this.#call("CreateSession", message);
  }

  set(sessionId: string, message: object): Promise<Answer> {
    return this.#call("SetSession", { sessionId, ...message });
  }

  delete(sessionId: string): Promise<Answer> {
    return this.#call("DeleteSession", { sessionId });
  }

  get(sessionId: string, sessionToken?: string): Promise<Answer> {
    return this.#call("GetSession", { sessionId, ...(sessionToken ? { sessionToken } : {}) });
  }

  /** Those of these ids, or all. */
  list(...ids: string[]): Promise<Answer> {
    return this.#call("ListSessions", ids.length === 0 ? {} : { queries: [{ idsQuery: { ids } }] });
  }

  #call(method: string, message: object): Promise<Answer> {
    return call(this.#url, method, message, this.#bearer);
  }
}

/** A session just created: the answer must be good. */
export async function created(sessions: Sessions, message?: object): Promise<{ id: string; token: string }> {
  const { body } = expectOk(await sessions.create(message));
  return { id: String(body.sessionId), token: String(body.sessionToken) };
}

export const tokenOf = (answer: Answer): string => String(expectOk(answer).body.sessionToken);
export const detailsOf = (answer: Answer): Details => expectOk(answer).body.details as Details;

/** @throws with the server's own words if it refused */
export function expectOk(answer: Answer): Answer {
  if (answer.code !== "ok") throw new Error(`${answer.code}: ${answer.message}`);
  return answer;
}

/** Metadata with one entry, as JSON has it. */
export const metadata = (key: string, text: string) => ({
  metadata: { [key]: Buffer.from(text).toString("base64") },
});
