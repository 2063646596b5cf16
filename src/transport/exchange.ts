import type { Call } from "./call.ts";
import type { HeaderFields, NodeRequest, NodeResponse } from "./node-http.ts";

/** One request of a call and everything needed to answer it. */
export type Exchange = {
  readonly request: NodeRequest;
  readonly response: NodeResponse;
  readonly call: Call;
  /** The query without its question mark. */
  readonly search: string;
  /** Headers every answer carries. */
  readonly headers: HeaderFields;
  readonly maxBodyBytes: number;
};
