/** `malformed`: not the JSON of a credential at all. `refused`: one that does not prove what it should. */
export type WebAuthNFailure = "malformed" | "refused";

/** Why a registration or an assertion does not count. The message is for the log: whoever failed gets no hints. */
export class WebAuthNError extends Error {
  readonly failure: WebAuthNFailure;

  constructor(failure: WebAuthNFailure, message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = "WebAuthNError";
    this.failure = failure;
  }
}
