import { Code, ConnectError } from "@connectrpc/connect";
import type { Client } from "../node-http.ts";

/**
 * How long a call lasts, and the signal of its end: by its deadline, by the client's leaving, or because it is over.
 * The signal is made when it is first asked for, which few calls do.
 */
export class CallSignal {
  readonly #client: Client;
  readonly #endsAt: number | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  #controller: AbortController | undefined;
  /** Why the call is over. */
  #ended: { reason: unknown } | undefined;

  /** @param timeoutMs what is left of the caller's time */
  constructor(client: Client, timeoutMs: number | undefined) {
    this.#client = client;
    if (timeoutMs === undefined) return;
    this.#endsAt = performance.now() + timeoutMs;
    const onDeadline = () => this.end(new ConnectError("the operation timed out", Code.DeadlineExceeded));
    if (timeoutMs <= 0) onDeadline();
    else this.#timer = setTimeout(onDeadline, timeoutMs);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#ended !== undefined) this.#controller.abort(this.#ended.reason);
      else abortWhenGone(this.#client, (reason) => this.end(reason));
    }
    return this.#controller.signal;
  }

  timeoutMs(): number | undefined {
    return this.#endsAt === undefined ? undefined : this.#endsAt - performance.now();
  }

  /** The first end is the one that counts. */
  end(reason: unknown = callIsOver): void {
    if (this.#ended !== undefined) return;
    this.#ended = { reason };
    clearTimeout(this.#timer);
    this.#controller?.abort(reason);
  }
}

/** One for all: an error of its own, with its stack, would cost more than all the rest of a call. */
const callIsOver = new DOMException("This operation was aborted", "AbortError");

export function abortWhenGone(client: Client, abort: (reason: ConnectError) => void): void {
  const onGone = () => abort(new ConnectError("the client went away", Code.Canceled));
  if (client.isGone) onGone();
  else client.onGone(onGone);
}
