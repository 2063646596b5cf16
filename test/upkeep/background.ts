import { type Kysely, sql } from "kysely";
import { pino } from "pino";
import { uuidV7 } from "../../src/crypto/random-ids.ts";
import { Metrics } from "../../src/metrics.ts";
import { projections } from "../../src/projections/projections.ts";
import { rebuildProjections } from "../../src/projections/replay.ts";
import type { SessionEvent } from "../../src/session/events.ts";
import { initialSession, sessionAggregate } from "../../src/session/session.ts";
import { change, type Recorded } from "../../src/storage/aggregate.ts";
import type { SessionRecord } from "../../src/storage/session-repository.ts";
import type { Database, EndReason } from "../../src/storage/tables.ts";
import { upkeepStores } from "../../src/storage/upkeep-stores.ts";
import { composeUpkeep, type Upkeep } from "../../src/upkeep/compose-upkeep.ts";
import { openRooms, type Rooms } from "../session/rooms.ts";
import type { Engine } from "../support/databases.ts";

/** The session room with a background that runs when it is told to. */
export type Background = Rooms & {
  upkeep: Upkeep;
  metrics: Metrics;
  /** Does all there is to do. @returns how much each task has done; what has done nothing is left out */
  run(): Promise<Record<string, number>>;
  /** The background of another server on the same database. */
  another(): Upkeep;
};

export async function openBackground(engine: Engine): Promise<Background> {
  const rooms = await openRooms(engine);
  const metrics = new Metrics();
  const compose = (counted: Metrics) =>
    composeUpkeep({
      events: rooms.events,
      organizations: rooms.organizations,
      stores: upkeepStores(rooms.db),
      engine,
      logger: pino({ level: "silent" }),
      metrics: counted,
    });
  const upkeep = compose(metrics);
  return Object.assign(rooms, {
    upkeep,
    metrics,
    writeEndings: upkeep.writeEndings,
    run: async () => doneBy(await upkeep.worker.runToEnd()),
    another: () => compose(new Metrics()),
  });
}

/** Worth it now and then only. */
const HOUSEKEEPING = ["vacuum", "compact session counts"];

/** What was done, but for {@link HOUSEKEEPING}. @throws if something was held to the last */
export function doneBy(totals: Awaited<ReturnType<Upkeep["worker"]["runToEnd"]>>): Record<string, number> {
  const held = Object.entries(totals).filter(([, total]) => total.held);
  if (held.length > 0) throw new Error(`left undone: ${held.map(([name]) => name).join(", ")}`);
  const done = Object.entries(totals).map(([name, total]) => [name, total.done] as const);
  return Object.fromEntries(done.filter(([name, count]) => count > 0 && !HOUSEKEEPING.includes(name)));
}

/** Sessions in one append, each with these events after its first. @returns their ids */
export async function addSessions(
  { events }: Pick<Rooms, "events">,
  count: number,
  history: (index: number) => readonly SessionEvent[] = () => [],
  added: Extract<SessionEvent, { type: "session.added" }>["payload"] = {},
): Promise<string[]> {
  const ids = Array.from({ length: count }, () => uuidV7());
  for (let start = 0; start < count; start += 1_000) {
    await events.append(
      ids
        .slice(start, start + 1_000)
        .map((id, index) =>
          change(
            sessionAggregate,
            initialSession(id),
            [
              { type: "session.added", payload: added },
              ...history(start + index),
              { type: "session.token.set", payload: { tokenDigest: `digest ${id}` } },
            ],
            "tester",
          ),
        ),
    );
  }
  return ids;
}

/** Sessions of a user whose epoch is that of the first sign-in, or of one later. */
export const ofUser = (userID: string, userEpoch = 0): SessionEvent => ({
  type: "session.user.checked",
  payload: { userID, userResourceOwner: "home", userEpoch, checkedAt: "2026-07-10T09:00:00.000Z" },
});

/** The shortest lifetime there is. */
export const lifetime = (milliseconds = 1): SessionEvent => ({
  type: "session.lifetime.set",
  payload: { lifetime: milliseconds },
});

const summarized = ["createdAt", "changedAt", "lastUsedAt", "lifetimeEndsAt", "idleEndsAt"];

/** Lets everything that happened to sessions, messages, walks and users have happened so many days earlier. */
export async function age({ db }: { db: Kysely<Database> }, days: number): Promise<void> {
  const earlier = (text: string) =>
    sql.raw(`to_char((${text})::timestamptz AT TIME ZONE 'UTC' - interval '${days * 24} hours',
      'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`);
  await sql`UPDATE events SET created_at = created_at - interval '24 hours' * ${days}::int`.execute(db);
  for (const field of ["endedAt", "expiresAt", ...summarized]) {
    await sql`
      UPDATE events SET payload = jsonb_set(payload, ARRAY[${field}::text], to_jsonb(${earlier(`payload->>'${field}'`)}))
      WHERE jsonb_typeof(payload->${sql.lit(field)}) = 'string'`.execute(db);
  }
  await rebuildProjections(db, projections);
}

/** Waits until the database's clock has passed the end of a session's lifetime. */
export async function pastExpiry({ sessions }: Pick<Rooms, "sessions">, id: string): Promise<SessionRecord> {
  for (;;) {
    const record = (await sessions.find(id))!;
    if (record.session.expiresAt! < record.now) return record;
  }
}

/** How sessions ended, by their streams: `ended_by_filter` → 200; each must have one ending, or none: `alive`. */
export async function endingsOf(
  { db }: { db: Kysely<Database> },
  ids: readonly string[],
): Promise<Partial<Record<EndReason | "alive", number>>> {
  const { rows } = await sql<{ id: string; types: string[]; reason: EndReason | null }>`
    SELECT s.id, s.ending->>'reason' AS reason,
      (SELECT coalesce(array_agg(e.event_type ORDER BY e.sequence), '{}') FROM events e
       WHERE e.aggregate_type = 'session' AND e.aggregate_id = s.id
         AND e.event_type IN ('session.terminated', 'session.expired')) AS types
    FROM sessions s WHERE s.id = ANY(${[...ids]}::text[])`.execute(db);
  const counts: Partial<Record<EndReason | "alive", number>> = {};
  for (const { id, types, reason } of rows) {
    if (types.length !== (reason === null ? 0 : 1))
      throw new Error(`session ${id} ended ${types.length} times`);
    counts[reason ?? "alive"] = (counts[reason ?? "alive"] ?? 0) + 1;
  }
  return counts;
}

export const typesOf = (stream: readonly Recorded[]): string[] => stream.map(({ type }) => type);

/** Locks sessions as another server's step does, until it is told to let go. */
export async function holding(db: Kysely<Database>, ids: readonly string[]): Promise<() => Promise<void>> {
  const [held, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const holder = db.transaction().execute(async (trx) => {
    await sql`SELECT id FROM sessions WHERE id = ANY(${[...ids]}::text[]) FOR NO KEY UPDATE`.execute(trx);
    held.resolve();
    await release.promise;
  });
  await held.promise;
  return async () => {
    release.resolve();
    await holder;
  };
}
