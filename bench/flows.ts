import { hashSync } from "bcryptjs";
import { defaultParallel } from "../src/crypto/password-hasher.ts";
import { ADDING_CALLERS, addOrganization, addPeople, PASSWORD } from "./accounts.ts";
import { openApi } from "./api.ts";
import type { BareHasher } from "./bare-hasher.ts";
import { type Child, startChild } from "./child.ts";
import { databasePid } from "./database-client.ts";
import type { LoadedRound, LoadGenerator } from "./load-generator.ts";
import { milliseconds, row, spread, whole, wholeIfKnown } from "./markdown.ts";
import type { Rounds } from "./plan.ts";
import { encodeSignIn } from "./session-calls.ts";
import type { Stage } from "./stage.ts";
import {
  busyMicroseconds,
  type Round,
  type Spread,
  spreadOf,
  spreadOfKnown,
  summarize,
} from "./statistics.ts";

/** Sign-ins, each one CreateSession, and what they cost server and database together. */
export type FlowsResult = {
  userCheck: Flow;
  /** With the password of a hash that stays bcrypt. */
  bcrypt: Flow & { toBareHashes: Spread | undefined };
  /** The first of an imported user, whose password is hashed anew with Argon2id. */
  firstSignIn: Flow;
  bareHashesPerBusySecond: Spread;
};

/** `perBusySecond`: for each second of processor time; undefined where the system does not tell. */
export type Flow = Round & { perBusySecond: Spread | undefined };

const CALLERS = 64;
const PEOPLE = 500;
const BCRYPT_COST = 8;
/** More than one core verifies in a second. */
const FIRST_SIGN_INS_PER_SECOND = 60;

/** CreateSession (Connect JSON) with a user check, and with user and password checks, beside bcrypt alone. */
export async function measureFlows(
  stage: Child<Stage>,
  { rounds, warmupSeconds, seconds }: Rounds,
  onProgress: (step: string) => void,
): Promise<FlowsResult> {
  await using undo = new AsyncDisposableStack();
  const generator = undo.use(startChild<LoadGenerator>("load-generator.ts"));
  const databaseUrl = await stage.call("createDatabase", "flows");
  const threads = defaultParallel(1);
  const hashers = Array.from({ length: threads }, () => undo.use(startChild<BareHasher>("bare-hasher.ts")));
  // One server at a time: what another one looks for in the database would be in PostgreSQL's processor time.
  let node = await stage.call("startGatehouse", {
    databaseUrl,
    environment: { GATEHOUSE_PASSWORD_REHASH: "false" },
  });
  undo.defer(() => stage.call("endGatehouse", node));

  onProgress("flows: adding people");
  const api = openApi(node, ADDING_CALLERS);
  const organizationId = await addOrganization(api, "Flows");
  const hash = hashSync(PASSWORD, BCRYPT_COST);
  const userIds = await addPeople(api, organizationId, PEOPLE, hash);
  const firstTimers = Math.ceil(FIRST_SIGN_INS_PER_SECOND * threads * (warmupSeconds + seconds)) * rounds;
  const unused = await addPeople(api, organizationId, firstTimers, hash);
  api.close();

  const load = { callers: CALLERS, databasePid: await databasePid(databaseUrl), warmupSeconds, seconds };
  const signIn = (ids: string[], password?: string, atMost?: number) =>
    generator.call("run", {
      ...load,
      ...{ origin: node.origin, serverPid: node.pid, protocol: "Connect JSON", atMost },
      requests: ids.map((id) => encodeSignIn(id, password, node.bearer)),
    });
  const measured = {
    userCheck: [] as LoadedRound[],
    bcrypt: [] as LoadedRound[],
    firstSignIn: [] as LoadedRound[],
  };
  const bare: number[] = [];
  const turns: [string, () => Promise<void>][] = [
    ["a user check", async () => void measured.userCheck.push(await signIn(userIds))],
    [
      "bcrypt alone",
      async () => {
        const order = { cost: BCRYPT_COST, seconds };
        const rates = await Promise.all(hashers.map((hasher) => hasher.call("run", order)));
        bare.push(rates.reduce((sum, rate) => sum + rate, 0) / rates.length);
      },
    ],
    ["user and password checks", async () => void measured.bcrypt.push(await signIn(userIds, PASSWORD))],
  ];
  for (let round = 1; round <= rounds; round++) {
    for (const [what, turn] of round % 2 === 1 ? turns : turns.toReversed()) {
      onProgress(`round ${round} of ${rounds}: ${what}`);
      await turn();
    }
  }
  await stage.call("endGatehouse", node);
  node = await stage.call("startGatehouse", { databaseUrl });
  for (let round = 1; round <= rounds; round++) {
    onProgress(`round ${round} of ${rounds}: first sign-ins`);
    const ids = unused.splice(0, firstTimers / rounds);
    measured.firstSignIn.push(await signIn(ids, PASSWORD, ids.length));
  }
  const ofBare = measured.bcrypt.map((flow, index) => rateOf(flow, (rate) => rate / bare[index]!));
  return {
    userCheck: flowOf(measured.userCheck),
    bcrypt: { ...flowOf(measured.bcrypt), toBareHashes: spreadOfKnown(ofBare) },
    firstSignIn: flowOf(measured.firstSignIn),
    bareHashesPerBusySecond: spreadOf(bare),
  };
}

const flowOf = (rounds: LoadedRound[]): Flow => ({
  ...summarize(rounds),
  perBusySecond: spreadOfKnown(rounds.map((round) => rateOf(round, (rate) => rate))),
});

/** @param of gets flows for each second of processor time */
function rateOf(round: Round, of: (perBusySecond: number) => number): number | undefined {
  const micros = busyMicroseconds(round);
  return micros && of(1e6 / micros);
}

export function flowsTable({
  userCheck,
  bcrypt,
  firstSignIn,
  bareHashesPerBusySecond,
}: FlowsResult): string[] {
  const line = (what: string, { perBusySecond, perSecond, p50Ms, p99Ms, ...cpu }: Flow) =>
    row([
      what,
      perBusySecond ? spread(perBusySecond) : "–",
      whole(perSecond),
      milliseconds(p50Ms),
      milliseconds(p99Ms),
      ...[cpu.cpuMicroseconds, cpu.databaseCpuMicroseconds].map((micros) => wholeIfKnown(micros)),
    ]);
  return [
    `**Sign-ins**, each one CreateSession (Connect JSON), ${CALLERS} callers. For each second of processor time of server and database together: median (least–most).`,
    "",
    "| | flows/CPU s | flows/s | p50 ms | p99 ms | server: CPU µs | PostgreSQL: CPU µs |",
    "|---|--:|--:|--:|--:|--:|--:|",
    line("user check", userCheck),
    line(
      `user and password checks, bcrypt cost ${BCRYPT_COST} that stays (\`GATEHOUSE_PASSWORD_REHASH=false\`)`,
      bcrypt,
    ),
    line(`the same, the first of an imported user: hashed anew with Argon2id`, firstSignIn),
    row([
      `bcrypt cost ${BCRYPT_COST} alone, in as many threads`,
      spread(bareHashesPerBusySecond),
      "",
      "",
      "",
      "",
      "",
    ]),
  ];
}
