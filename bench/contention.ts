import { SessionService } from "../src/gen/zitadel/session/v2/session_service_pb.js";
import { type Api, openApi, Refusal } from "./api.ts";
import type { Child } from "./child.ts";
import { expectEqual, expectVerified } from "./claims.ts";
import { openClient } from "./database-client.ts";
import { closedLoop } from "./loops.ts";
import { milliseconds, row, whole } from "./markdown.ts";
import type { ContentionSize } from "./plan.ts";
import type { Stage } from "./stage.ts";
import { percentile, type Spread, spreadOf } from "./statistics.ts";

/** Very many callers that change the same few sessions, on two nodes. */
export type ContentionResult = {
  callers: number;
  sessions: number;
  /** Changes that were answered with success, each of which is in the log once. */
  acknowledged: number;
  errors: Spread;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
};

const CALLERS = 256;
const SESSIONS = 200;

const { createSession, setSession } = SessionService.method;

/**
 * Every caller changes the metadata of any of the sessions, again and again; each change rotates the session's token.
 * @throws Error if a call fails, or the log holds other changes than those that were acknowledged
 */
export async function measureContention(
  stage: Child<Stage>,
  { seconds }: ContentionSize,
  onProgress: (step: string) => void,
): Promise<ContentionResult> {
  await using undo = new AsyncDisposableStack();
  onProgress("starting two nodes");
  const databaseUrl = await stage.call("createDatabase", "contention");
  const apis: Api[] = [];
  for (let node = 0; node < 2; node++) {
    const started = await stage.call("startGatehouse", { databaseUrl });
    undo.defer(() => stage.call("endGatehouse", started));
    apis.push(openApi(started, CALLERS / 2));
  }
  const ids: string[] = [];
  while (ids.length < SESSIONS) ids.push((await apis[0]!.call(createSession, {})).sessionId);

  onProgress(`${CALLERS} callers change ${SESSIONS} sessions`);
  const errors: string[] = [];
  let acknowledged = 0;
  let sent = 0;
  const { latencies, seconds: taken } = await closedLoop({ callers: CALLERS, seconds }, async (caller) => {
    const sessionId = ids[Math.floor(Math.random() * ids.length)]!;
    sent += 1;
    try {
      await apis[caller % apis.length]!.call(setSession, {
        sessionId,
        metadata: { change: Buffer.from(String(sent)) },
      });
      acknowledged += 1;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      errors.push(error.message);
    }
  });
  for (const api of apis) api.close();
  if (errors.length > 0) throw new Error(`${errors.length} calls failed, the first: ${errors[0]}`);
  expectEqual("changes in the log", await storedChanges(databaseUrl), acknowledged);
  await expectVerified(stage, databaseUrl);
  return {
    callers: CALLERS,
    sessions: SESSIONS,
    acknowledged,
    errors: spreadOf([errors.length]),
    perSecond: latencies.length / taken,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
  };
}

async function storedChanges(databaseUrl: string): Promise<number> {
  await using client = await openClient(databaseUrl);
  const { rows } = await client.query<{ count: string }>(
    "SELECT count(*) FROM events WHERE aggregate_type = 'session' AND event_type = 'session.metadata.set'",
  );
  return Number(rows[0]!.count);
}

export function contentionTable({
  callers,
  sessions,
  acknowledged,
  perSecond,
  p50Ms,
  p99Ms,
}: ContentionResult): string[] {
  return [
    `**Contention**: SetSession from ${callers} callers, on two nodes, over the same ${sessions} sessions. The log holds as many changes as were acknowledged, and \`projections verify\` is clean.`,
    "",
    "| acknowledged | errors | requests/s | p50 ms | p99 ms |",
    "|--:|--:|--:|--:|--:|",
    row([whole(acknowledged), "0", whole(perSecond), milliseconds(p50Ms), milliseconds(p99Ms)]),
  ];
}
