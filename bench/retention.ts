import { SessionSettingsService } from "../src/gen/gatehouse/session/v1/session_settings_service_pb.js";
import { openApi } from "./api.ts";
import { type Child, startChild } from "./child.ts";
import { expectVerified } from "./claims.ts";
import type { DayCaller } from "./day-caller.ts";
import type { RetentionSize } from "./plan.ts";
import { type EndedSessions, expectRetained } from "./retained-sessions.ts";
import { type House, openHouse } from "./retention-house.ts";
import type { Stage } from "./stage.ts";
import { median, type Spread, spreadOf } from "./statistics.ts";
import { sizesOf, type TableSizes, vacuumDue } from "./table-sizes.ts";

/** Some weeks of a server that keeps ended sessions for days. */
export type RetentionResult = Pick<RetentionSize, "sessionsADay" | "foldAfterDays" | "removeAfterDays"> & {
  days: Day[];
  /** All bytes at the end of the last day, to those of the middle one. */
  plateau: number;
  /** A CreateSession in the last days, to the first, each beside one on empty tables. `cpu`: undefined where the system does not tell. */
  cpu: Spread | undefined;
  p50: Spread;
};

export type Day = TableSizes & { maintenanceMs: number; creates: Cost; onEmptyTables: Cost };

/** Of a CreateSession: processor time of the server and of all of PostgreSQL, and latency. */
export type Cost = { cpuMicroseconds: number | undefined; p50Ms: number };

/** Days at either end that are compared. */
export function comparedDays(days: readonly Day[]): { first: Day[]; last: Day[] } {
  const count = Math.min(5, Math.floor(days.length / 2));
  return { first: days.slice(0, count), last: days.slice(-count) };
}

/** The two servers take so many turns a day. */
const TURNS = 4;
const HOUR_MS = 3_600_000;

/**
 * Day after day as many sessions begin and end, and the maintenance folds and removes what is old enough. Only the
 * database's clock is moved on.
 * @throws Error if after a day's maintenance other sessions or events are there than should be
 */
export async function measureRetention(
  stage: Child<Stage>,
  size: RetentionSize,
  onProgress: (step: string) => void,
): Promise<RetentionResult> {
  await using undo = new AsyncDisposableStack();
  const caller = undo.use(startChild<DayCaller>("day-caller.ts"));
  const house = await openHouse(undo, stage, "retention");
  const empty = await openHouse(undo, stage, "retention_empty");
  const { foldAfterDays, removeAfterDays, sessionsADay } = size;
  await setRetention(house, { foldAfterDays, removeAfterDays });

  const allEnded: EndedSessions[] = [];
  const days: Day[] = [];
  // Before the first there is one that warms everything up.
  for (let day = 0; day <= size.days; day++) {
    onProgress(`retention: day ${day} of ${size.days}`);
    const costs = await createInTurns(caller, house, empty, sessionsADay);
    const { ended, expiring, lifetimeHours } = await caller.call("finish", house.node);
    const now = await house.clock.now();
    const later = new Date(now.getTime() + lifetimeHours * HOUR_MS);
    allEnded.push({ count: ended, endedAt: now }, { count: expiring, endedAt: later });

    await house.clock.advance(24);
    const startedAt = performance.now();
    await stage.call("runGatehouse", { databaseUrl: house.databaseUrl, args: ["maintenance", "run"] });
    const maintenanceMs = performance.now() - startedAt;
    await expectRetained(house, allEnded, size);
    await vacuumDue(house.client);
    if (day > 0) days.push({ ...(await sizesOf(house.client)), maintenanceMs, ...costs });
  }
  onProgress("retention: verifying");
  await expectVerified(stage, house.databaseUrl);
  return {
    ...{ sessionsADay, foldAfterDays, removeAfterDays, days },
    plateau: bytesOf(days.at(-1)!) / bytesOf(days[Math.floor(days.length / 2) - 1]!),
    cpu: lastToFirst(days, ({ cpuMicroseconds }) => cpuMicroseconds),
    p50: lastToFirst(days, ({ p50Ms }) => p50Ms)!,
  };
}

export function bytesOf({ sessions, events }: TableSizes): number {
  return sessions.tableBytes + sessions.indexBytes + events.tableBytes + events.indexBytes;
}

async function setRetention(
  { node }: House,
  retention: Pick<RetentionSize, "foldAfterDays" | "removeAfterDays">,
): Promise<void> {
  const api = openApi(node);
  await api.call(SessionSettingsService.method.setSessionSettings, { settings: { retention } });
  api.close();
}

/** A day's sessions, and as many on a server whose tables are empty: what disturbs the machine disturbs both. */
async function createInTurns(
  caller: Child<DayCaller>,
  house: House,
  empty: House,
  sessionsADay: number,
): Promise<Pick<Day, "creates" | "onEmptyTables">> {
  const sides = { house: [] as Cost[], empty: [] as Cost[] };
  const houses = { house, empty };
  const count = Math.ceil(sessionsADay / TURNS);
  for (let turn = 0; turn < TURNS; turn++) {
    const order = turn % 2 === 0 ? (["house", "empty"] as const) : (["empty", "house"] as const);
    for (const side of order) {
      const { node, userIds, cpuSeconds } = houses[side];
      const before = cpuSeconds();
      const p50Ms = await caller.call("create", { ...node, userIds, count });
      const after = cpuSeconds();
      const cpuMicroseconds = before === undefined ? undefined : ((after! - before) * 1e6) / count;
      sides[side].push({ p50Ms, cpuMicroseconds });
    }
  }
  await caller.call("forget", empty.node);
  await empty.client.query("TRUNCATE sessions, events");
  return { creates: summarizeCosts(sides.house), onEmptyTables: summarizeCosts(sides.empty) };
}

/** The median of each figure. */
export function summarizeCosts(costs: readonly Cost[]): Cost {
  const cpu = costs.map(({ cpuMicroseconds }) => cpuMicroseconds).filter((each) => each !== undefined);
  return {
    cpuMicroseconds: cpu.length < costs.length ? undefined : median(cpu),
    p50Ms: median(costs.map(({ p50Ms }) => p50Ms)),
  };
}

function lastToFirst(days: readonly Day[], figure: (cost: Cost) => number | undefined): Spread | undefined {
  if (days.some(({ creates }) => figure(creates) === undefined)) return undefined;
  const ratio = ({ creates, onEmptyTables }: Day) => figure(creates)! / figure(onEmptyTables)!;
  const { first, last } = comparedDays(days);
  const before = median(first.map(ratio));
  return spreadOf(last.map((day) => ratio(day) / before));
}
