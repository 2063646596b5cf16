/** An answer as far as it was read. */
export type PostAnswer = { status: number; body: string };

/** Nobody answered: a timeout, no connection, no such host. The message is fit for a log. */
export class NoAnswer extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = "NoAnswer";
  }
}

/** Of an answer that is longer, the rest is not read. */
const ANSWER_LIMIT_BYTES = 64 * 1024;

/**
 * Sends a body by POST and reads the beginning of the answer. Redirects are answers like any other: following one
 * would hand a code to somebody the operator did not name.
 * @param url http or https, without a user name in it
 * @param timeoutMs until the whole answer is there; if only its body is late, the status counts and the body is cut off
 * @throws NoAnswer
 */
export async function post(
  url: string,
  headers: Record<string, string>,
  body: string,
  timeoutMs: number,
): Promise<PostAnswer> {
  let response: Response;
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    response = await fetch(url, { method: "POST", headers, body, redirect: "manual", signal });
  } catch (error) {
    throw new NoAnswer(reasonOf(error, timeoutMs), error);
  }
  return { status: response.status, body: await beginningOf(response) };
}

async function beginningOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of response.body ?? []) {
      chunks.push(chunk);
      length += chunk.length;
      // Leaving the loop cancels the rest.
      if (length >= ANSWER_LIMIT_BYTES) break;
    }
  } catch {
    // The status has been said; what was to be explained about it is lost.
  }
  return Buffer.concat(chunks).subarray(0, ANSWER_LIMIT_BYTES).toString();
}

function reasonOf(error: unknown, timeoutMs: number): string {
  if (error instanceof Error && error.name === "TimeoutError") return `no answer within ${timeoutMs} ms`;
  const { code } = ((error as Error).cause ?? error) as { code?: unknown };
  return typeof code === "string" && /^[A-Z0-9_]+$/.test(code) ? `no connection (${code})` : "no connection";
}
