import { SessionControlService } from "../src/gen/gatehouse/session/v1/session_control_service_pb.js";
import { SessionService } from "../src/gen/zitadel/session/v2/session_service_pb.js";
import { type Api, encodeApiCall, openApi } from "./api.ts";
import { type Child, startChild } from "./child.ts";
import { expectEqual, expectVerified } from "./claims.ts";
import { openClient } from "./database-client.ts";
import { fillForList } from "./list-database.ts";
import { listPages } from "./list-pages.ts";
import type { Pair, PairedCalls, PairedRound } from "./paired-calls.ts";
import type { ListSize } from "./plan.ts";
import type { Stage } from "./stage.ts";
import { median, type Spread, spreadOf } from "./statistics.ts";

/** Pages of a list, each beside reading the same sessions by their ids. Times in milliseconds. */
export type ListResult = {
  sessions: number;
  /** GetSession, and SearchSessions of that one id. */
  pointMs: number;
  oneMs: number;
  pages: PageResult[];
};

export type PageResult = {
  what: string;
  /** Whether an exact total is part of it. */
  isCounted: boolean;
  /** Sessions on the page. */
  rows: number;
  p50Ms: number;
  p99Ms: number;
  floorMs: number;
  /** Median latency, to that of the same sessions by their ids. */
  ratio: Spread;
};

const { searchSessions } = SessionControlService.method;

/**
 * What finding sessions costs beyond reading them: pages of SearchSessions and ListSessions over a million sessions.
 * @throws Error if a page has other sessions than it should, the pages don't add up, or a total is wrong
 */
export async function measureList(
  stage: Child<Stage>,
  { sessions, rounds, warmupSeconds, seconds }: ListSize,
  onProgress: (step: string) => void,
): Promise<ListResult> {
  await using undo = new AsyncDisposableStack();
  const databaseUrl = await stage.call("createDatabase", "list");
  undo.defer(() => stage.call("dropDatabase", "list"));
  const node = await stage.call("startGatehouse", { databaseUrl });
  undo.defer(() => stage.call("endGatehouse", node));
  onProgress(`list: filling the tables with ${sessions} sessions`);
  const known = await fillForList(databaseUrl, node, sessions);
  const api = openApi(node);
  undo.defer(() => api.close());
  const inView = await countInView(databaseUrl, known.busyUserId);
  onProgress(`list: walking over ${inView.all} sessions`);
  const cursors = await walkOverAll(api, inView.all);
  const pages = await listPages(api, { ...known, bearer: node.bearer }, cursors, inView);

  const calls = undo.use(startChild<PairedCalls>("paired-calls.ts"));
  const order = { origin: node.origin, warmupSeconds, seconds };
  const point = await pointPairs(api, node.bearer);
  const measured = pages.map((page) => ({ page, taken: [] as PairedRound[] }));
  const points: PairedRound[] = [];
  for (let round = 1; round <= rounds; round++) {
    onProgress(`round ${round} of ${rounds}: GetSession`);
    points.push(await calls.call("run", { ...order, pairs: point }));
    for (const { page, taken } of measured) {
      onProgress(`round ${round} of ${rounds}: ${page.what}`);
      taken.push(await calls.call("run", { ...order, pairs: page.pairs }));
    }
  }
  onProgress("list: verifying");
  await expectVerified(stage, databaseUrl);
  return {
    sessions,
    pointMs: median(points.map(({ measured: { p50Ms } }) => p50Ms)),
    oneMs: median(points.map(({ limit: { p50Ms } }) => p50Ms)),
    pages: measured.map(({ page, taken }) => ({
      what: page.what,
      isCounted: page.isCounted,
      rows: median(page.rows),
      p50Ms: median(taken.map((round) => round.measured.p50Ms)),
      p99Ms: median(taken.map((round) => round.measured.p99Ms)),
      floorMs: median(taken.map((round) => round.limit.p50Ms)),
      ratio: spreadOf(taken.map((round) => round.measured.p50Ms / round.limit.p50Ms)),
    })),
  };
}

/** By the rows, past the server. */
async function countInView(
  databaseUrl: string,
  busyUserId: string,
): Promise<{ all: number; busyUser: number }> {
  await using client = await openClient(databaseUrl);
  const { rows } = await client.query<{ all: string; busyUser: string }>(
    `SELECT count(*) AS all, count(*) FILTER (WHERE user_id = $1) AS "busyUser"
     FROM sessions WHERE status IN ('active', 'expired')`,
    [busyUserId],
  );
  return { all: Number(rows[0]!.all), busyUser: Number(rows[0]!.busyUser) };
}

const WALK_LIMIT = 1_000;

/**
 * Every session in view, page by page, newest first.
 * @returns cursors of pages in the middle
 * @throws Error if it does not meet each exactly once
 */
async function walkOverAll(api: Api, inView: number): Promise<string[]> {
  const met = new Set<string>();
  const cursors: string[] = [];
  for (let cursor = ""; ; ) {
    const page = await api.call(searchSessions, { limit: WALK_LIMIT, cursor });
    for (const { session } of page.sessions) met.add(session!.id);
    cursors.push(page.nextCursor);
    expectEqual("sessions met on the walk", met.size, Math.min(cursors.length * WALK_LIMIT, inView));
    cursor = page.nextCursor;
    if (cursor === "") break;
  }
  expectEqual("sessions met on the whole walk", met.size, inView);
  const middle = Math.floor(cursors.length / 2);
  return cursors.slice(Math.max(0, middle - 5), middle + 5).filter((cursor) => cursor !== "");
}

/** GetSession, beside SearchSessions of that one id. */
async function pointPairs(api: Api, bearer: string): Promise<Pair[]> {
  const { sessions } = await api.call(searchSessions, { limit: WALK_LIMIT });
  return sessions.map(({ session }) => ({
    measured: encodeApiCall(SessionService.method.getSession, { sessionId: session!.id }, bearer),
    limit: encodeApiCall(searchSessions, { filter: { sessionIds: [session!.id] } }, bearer),
  }));
}
