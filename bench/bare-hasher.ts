import { compareSync, hashSync } from "bcryptjs";
import { answerCalls } from "./child.ts";

/** bcrypt and nothing else; so many of these at once are what the server's threads could do. */
export type BareHasher = {
  /** @returns verifications for each second of processor time */
  run(order: { cost: number; seconds: number }): Promise<number>;
};

async function run({ cost, seconds }: Parameters<BareHasher["run"]>[0]): Promise<number> {
  const encoded = hashSync(PASSWORD, cost);
  let verified = 0;
  const before = process.cpuUsage();
  for (const endsAt = performance.now() + seconds * 1_000; performance.now() < endsAt; verified++) {
    if (!compareSync(PASSWORD, encoded)) throw new Error("bcrypt does not know its own hash");
  }
  const { user, system } = process.cpuUsage(before);
  return (verified * 1e6) / (user + system);
}

const PASSWORD = "Correct-Horse-1";

answerCalls({ run } satisfies BareHasher);
