import { setTimeout as sleep } from "node:timers/promises";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type Operation,
  OperationStatus,
  SessionControlService,
} from "../src/gen/gatehouse/session/v1/session_control_service_pb.js";
import { type Api, openApi } from "./api.ts";
import { type Child, startChild } from "./child.ts";
import { expectEqual, expectVerified } from "./claims.ts";
import { openClient } from "./database-client.ts";
import type { Judgement } from "./endings-checker.ts";
import { CHECKING_CALLERS, startChecks } from "./endings-checks.ts";
import { countEndings, type EndingsCount, fillForEndings } from "./endings-database.ts";
import { monotonicMs } from "./monotonic.ts";
import type { EndingsSize } from "./plan.ts";
import type { Stage } from "./stage.ts";
import { median, type Round, type Spread, spreadOf, summarize } from "./statistics.ts";
import type { SteadyCreator } from "./steady-creator.ts";

/** One EndSessions over very many sessions, on two nodes of which one is killed meanwhile. */
export type EndingsResult = {
  matched: number;
  others: number;
  dryRunMs: number;
  answerMs: number;
  /** From the ending until the last session's event, by the database's clock. */
  backgroundSeconds: number;
  checks: Pick<Judgement, "refused" | "accepted" | "unanswered">;
  /** How many endings were written down when node A was killed, each time. */
  killedAt: number[];
  createsPerSecond: number;
  /** CreateSession beside it; undefined if it was over too soon for a round. */
  before: Round;
  during: Round | undefined;
  /** Latency during to before. */
  p50: Spread | undefined;
  p99: Spread | undefined;
};

/** A bulk ending that has not moved on for so long never will. */
const PATIENCE_MS = 120_000;
const POLL_MS = 100;

const { endSessions, getOperation } = SessionControlService.method;

/**
 * Ends all sessions of an organization while they are in use on two nodes, and kills the node that was asked while the
 * endings are written down.
 * @throws Error if a check after the answer came out wrong, or what is written in the end is not what was promised
 */
export async function measureEndings(
  stage: Child<Stage>,
  size: EndingsSize,
  onProgress: (step: string) => void,
): Promise<EndingsResult> {
  await using undo = new AsyncDisposableStack();
  const databaseUrl = await stage.call("createDatabase", "endings");
  undo.defer(() => stage.call("dropDatabase", "endings"));
  let nodeA = await stage.call("startGatehouse", { databaseUrl });
  undo.defer(() => stage.call("endGatehouse", nodeA));
  onProgress(`endings: filling the tables for ${size.sessions} sessions to end`);
  const { organizationId, bystanderIds, outsider, checked } = await fillForEndings(databaseUrl, nodeA, size);
  const nodeB = await stage.call("startGatehouse", { databaseUrl });
  undo.defer(() => stage.call("endGatehouse", nodeB));
  const [a, b] = [openApi(nodeA), openApi(nodeB)];
  undo.defer(() => [a, b].forEach((api) => void api.close()));
  const database = undo.use(await openClient(databaseUrl));

  const creator = undo.use(startChild<SteadyCreator>("steady-creator.ts"));
  const createFor = (seconds: number) =>
    creator.call("run", { ...nodeB, userIds: bystanderIds, perSecond: size.createsPerSecond, seconds });
  onProgress("endings: CreateSession before");
  await createFor(1);
  const before: Round[] = [];
  while (before.length < size.rounds) before.push(await createFor(size.seconds));

  onProgress("endings: dry run");
  const filter = { organizationIds: [organizationId] };
  const dryRunAt = monotonicMs();
  const matched = Number((await a.call(endSessions, { filter, dryRun: true })).matched);
  const dryRunMs = monotonicMs() - dryRunAt;
  const found = await countEndings(database, organizationId);
  expectEqual("what the dry run counted", matched, found.active);

  const checks = await startChecks(undo, {
    origins: [nodeA.origin, nodeB.origin],
    outsider,
    sessions: checked,
  });
  onProgress("endings: checks, and then the end");
  await checks.answers(size.checks / 10);
  const begunAt = monotonicMs();
  const { operation } = await a.call(endSessions, { filter });
  const answeredAt = monotonicMs();
  await checks.ended({ begunAt, answeredAt });
  const progress = () => operationOf(b, operation!.id);

  const killedAt: number[] = [];
  for (let kill = 1; kill <= size.kills; kill++) {
    onProgress(`endings: checks, and node A killed, ${kill} of ${size.kills}`);
    await checks.answers(size.checks / 2 / size.kills);
    killedAt.push(Number((await progress()).ended));
    await stage.call("endGatehouse", { ...nodeA, signal: "SIGKILL" });
    nodeA = await stage.call("startGatehouse", { databaseUrl, port: Number(new URL(nodeA.origin).port) });
  }
  onProgress("endings: checks");
  // Those on their way at the answer do not count.
  await checks.answers(size.checks / 2 + 2 * CHECKING_CALLERS);
  const { refused, accepted, unanswered } = await checks.judged();

  const during: Round[] = [];
  let state = await progress();
  while (state.status === OperationStatus.RUNNING && during.length < size.rounds) {
    onProgress(`endings: CreateSession beside it, ${state.ended} of ${matched} written down`);
    const round = await createFor(size.seconds);
    state = await progress();
    if (state.status === OperationStatus.RUNNING) during.push(round);
  }
  for (let shown = 0, movedAt = monotonicMs(); state.status === OperationStatus.RUNNING; ) {
    await sleep(POLL_MS);
    const before = state.ended;
    state = await progress();
    if (state.ended > before) movedAt = monotonicMs();
    if (monotonicMs() - movedAt > PATIENCE_MS) throw new Error("the bulk ending does not come to its end");
    const tenths = Math.floor((Number(state.ended) * 10) / matched);
    if (tenths > shown) onProgress(`endings: ${state.ended} of ${matched} written down`);
    shown = tenths;
  }

  onProgress("endings: what is written, and what was promised");
  expectEqual("sessions ended, says the operation", Number(state.ended), matched);
  expectWritten(found, await countEndings(database, organizationId, state.id));
  onProgress("endings: verifying");
  await expectVerified(stage, databaseUrl);

  const compared = (figure: (round: Round) => number) =>
    spreadOf(during.map((round) => figure(round) / median(before.map(figure))));
  const isMeasured = during.length > 0;
  return {
    matched,
    others: found.others,
    dryRunMs,
    answerMs: answeredAt - begunAt,
    backgroundSeconds:
      (timestampMs(state.doneAt as Timestamp) - timestampMs(state.startedAt as Timestamp)) / 1_000,
    checks: { refused, accepted, unanswered },
    killedAt,
    createsPerSecond: size.createsPerSecond,
    before: summarize(before),
    during: isMeasured ? summarize(during) : undefined,
    p50: isMeasured ? compared(({ p50Ms }) => p50Ms) : undefined,
    p99: isMeasured ? compared(({ p99Ms }) => p99Ms) : undefined,
  };
}

async function operationOf(api: Api, operationId: string): Promise<Operation> {
  return (await api.call(getOperation, { operationId })).operation!;
}

/** @throws Error unless each session that was active has one ending event, the operation's, and no other has a new one */
function expectWritten(before: EndingsCount, after: EndingsCount): void {
  expectEqual("sessions still active", after.active, 0);
  expectEqual("sessions with one ending event, the operation's", after.byOperation, before.active);
  expectEqual("sessions that keep the end they had", after.ended - after.byOperation, before.ended);
  expectEqual("sessions of others with an ending event", after.othersEnded, 0);
  expectEqual("ending events", after.events, before.active + before.ended);
}
