import { type Child, startChild } from "./child.ts";
import type { LoadedRound, LoadGenerator } from "./load-generator.ts";
import type { PasswordChecks } from "./password-checks.ts";
import type { Rounds } from "./plan.ts";
import type { Stage } from "./stage.ts";
import { median, type Round, type Spread, spreadOf, summarize } from "./statistics.ts";
import { encodeCall } from "./wire.ts";

/** GetSession while nobody signs in, and while many do. */
export type PasswordsResult = {
  quiet: Round;
  busy: Round;
  /** Latency of GetSession, busy to quiet. */
  p50: Spread;
  p99: Spread;
  signInsPerSecond: number;
};

/** People who sign in at any moment, and readers: few, so that what is measured is waiting and not throughput. */
export const PEOPLE = 32;
export const READERS = 4;

const READ_SESSIONS = 1_000;

/** How much the password checks of some slow the reads of others. */
export async function measurePasswords(
  stage: Child<Stage>,
  { rounds, warmupSeconds, seconds }: Rounds,
  onProgress: (step: string) => void,
): Promise<PasswordsResult> {
  await using children = new AsyncDisposableStack();
  const generator = children.use(startChild<LoadGenerator>("load-generator.ts"));
  const passwords = children.use(startChild<PasswordChecks>("password-checks.ts"));
  const target = await stage.call("startGatehouse", {
    databaseUrl: await stage.call("createDatabase", "passwords"),
  });
  children.defer(() => stage.call("endGatehouse", target));
  const sessions = await generator.call("createSessions", { ...target, count: READ_SESSIONS });
  const requests = sessions.map((session) =>
    encodeCall("Connect JSON", "GetSession", session, target.bearer),
  );
  const userIds = await passwords.call("addPeople", { ...target, count: PEOPLE });

  const measured = { quiet: [] as LoadedRound[], busy: [] as LoadedRound[] };
  const signIns: number[] = [];
  const read = () =>
    generator.call("run", {
      origin: target.origin,
      serverPid: target.pid,
      protocol: "Connect JSON",
      requests,
      callers: READERS,
      warmupSeconds,
      seconds,
    });
  const sides = {
    quiet: read,
    busy: async () => {
      await passwords.call("start", { ...target, userIds });
      const round = await read();
      signIns.push(await passwords.call("stop", undefined));
      return round;
    },
  };
  for (let round = 1; round <= rounds; round++) {
    onProgress(`round ${round} of ${rounds}: GetSession beside password checks`);
    const order = round % 2 === 1 ? (["quiet", "busy"] as const) : (["busy", "quiet"] as const);
    for (const side of order) measured[side].push(await sides[side]());
  }
  const compared = (figure: (round: Round) => number) =>
    spreadOf(measured.busy.map((busy, index) => figure(busy) / figure(measured.quiet[index]!)));
  return {
    quiet: summarize(measured.quiet),
    busy: summarize(measured.busy),
    p50: compared(({ p50Ms }) => p50Ms),
    p99: compared(({ p99Ms }) => p99Ms),
    signInsPerSecond: median(signIns),
  };
}
