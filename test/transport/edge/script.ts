import type { Code } from "@connectrpc/connect";
import type { ErrorSlug } from "../../../src/errors.ts";

/** What an implementation on the stage does before it answers. */
export type Script = {
  fields: {
    on: "header" | "trailer";
    how: "set" | "append" | "delete";
    name: string;
    value: string;
  }[];
  /** `turn`: of the event loop; `end`: until its signal is aborted. */
  waits: "not" | "turn" | "end";
  error:
    | { kind: "connect"; code: Code; message: string; metadata: [string, string][]; details: string[] }
    | { kind: "domain"; slug: ErrorSlug }
    | { kind: "foreign"; message: string }
    | { kind: "thing"; message: string }
    | undefined;
  /** Text in the answer. */
  padding: string;
  /** Whether it answers with a message or with what one can be made of. */
  isWhole: boolean;
};
