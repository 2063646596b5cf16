import type { Child } from "./child.ts";
import type { Stage } from "./stage.ts";

/** @throws Error that says what was found, if it is not what was promised */
export function expectEqual(what: string, found: number, promised: number): void {
  if (found !== promised) throw new Error(`${what}: ${found} instead of ${promised}`);
}

/** Computes every row anew, as an operator would. @throws Error if one is not what its events say */
export async function expectVerified(stage: Child<Stage>, databaseUrl: string): Promise<void> {
  await stage.call("runGatehouse", { databaseUrl, args: ["projections", "verify"] });
}
