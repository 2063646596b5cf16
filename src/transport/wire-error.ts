import type { Code } from "@connectrpc/connect";

/** How one refusal looks on the wire. */
export type WireError = {
  code: Code;
  /** Null: neither id nor detail. */
  id: string | null;
  /** The detail is `CredentialsCheckError` with the failed attempts, not `ErrorDetail`. */
  credentials?: boolean;
};
