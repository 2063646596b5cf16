import { randomUUID } from "node:crypto";
import { type Kysely, sql } from "kysely";
import { type Migration, Migrator } from "kysely/migration";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { projections } from "../../src/projections/projections.ts";
import { verifyProjections } from "../../src/projections/replay.ts";
import { overdueEnding, userEndingOf } from "../../src/session/ending/overdue.ts";
import { standing } from "../../src/session/session.ts";
import { type OpenDatabase, openPgliteHere, openPostgres } from "../../src/storage/database.ts";
import { migrate } from "../../src/storage/migrate.ts";
import * as events from "../../src/storage/migrations/0001-events.ts";
import * as sessions from "../../src/storage/migrations/0002-sessions.ts";
import * as users from "../../src/storage/migrations/0003-users.ts";
import * as organizations from "../../src/storage/migrations/0004-organizations.ts";
import * as factors from "../../src/storage/migrations/0005-factors.ts";
import { SessionRepository } from "../../src/storage/session-repository.ts";
import type { Database } from "../../src/storage/tables.ts";
import { engines, onMaintenanceDatabase } from "../support/databases.ts";

/** The schema before endings had a reason. */
const earlier: Record<string, Migration> = {
  "0001-events": events,
  "0002-sessions": sessions,
  "0003-users": users,
  "0004-organizations": organizations,
  "0005-factors": factors,
};

describe.each(engines)("a database from before endings had a reason, on %s", (engine) => {
  let opened: OpenDatabase;
  let removed = async () => {};

  beforeAll(async () => {
    if (engine === "pglite") opened = await openPgliteHere();
    else {
      const name = `test_${randomUUID().replaceAll("-", "")}`;
      const server = new URL(inject("postgresTemplate"));
      await onMaintenanceDatabase(server, `CREATE DATABASE ${name}`);
      opened = openPostgres(new URL(`/${name}`, server).href);
      removed = () => onMaintenanceDatabase(server, `DROP DATABASE ${name} WITH (FORCE)`);
    }
    const migrator = new Migrator({
      db: opened.db.withoutPlugins(),
      provider: { getMigrations: async () => earlier },
      migrationTableName: "schema_migrations",
      migrationLockTableName: "schema_migrations_lock",
    });
    const { error } = await migrator.migrateToLatest();
    if (error) throw error;
    await fill(opened.db);
    expect(await migrate(opened.db)).toContain("0006-endings");
  });

  afterAll(async () => {
    await opened.close();
    await removed();
  });

  it("has rows that are what its log says", async () => {
    expect(await verifyProjections(opened.db, projections)).toMatchObject({ differences: [], aggregates: 5 });
  });

  it("knows who ended a session, and when", async () => {
    const { session } = (await new SessionRepository(opened.db).find("ended"))!;
    expect(session).toMatchObject({
      status: "terminated",
      ending: { reason: "terminated", actorId: "somebody" },
      endedAt: day(3),
    });
  });

  it("keeps a lifetime as it was", async () => {
    const { session } = (await new SessionRepository(opened.db).find("short"))!;
    expect(session).toMatchObject({ expiresAt: day(2), lifetimeEndsAt: day(2), lastUsedAt: day(1) });
  });

  it.each([
    ["first", "user_locked", 2],
    ["second", "user_deactivated", 4],
  ])(
    "finds what ended the session of the %s epoch, without an event in its stream",
    async (id, reason, at) => {
      const repository = new SessionRepository(opened.db);
      const record = (await repository.find(id))!;
      expect(standing(record)).toBe("ended");
      const overdue = overdueEnding(record, await userEndingOf(repository, record));
      expect(overdue).toMatchObject({ ending: { reason, actorId: "warden", at: day(at) } });
    },
  );
});

function day(number: number): Date {
  return new Date(Date.UTC(2026, 0, number));
}

/** Written down as the earlier version did: a user who was locked, unlocked and deactivated, and four sessions. */
async function fill(db: Kysely<Database>): Promise<void> {
  const added = {
    organizationId: "o",
    userName: "ann",
    firstName: "A",
    lastName: "N",
    displayName: "A N",
    email: "a@example.com",
  };
  const checked = (userEpoch: number) => ({
    userID: "u",
    userResourceOwner: "o",
    userEpoch,
    checkedAt: day(1).toISOString(),
  });
  const log: [type: string, id: string, event: string, payload: object, actor: string, at: Date][] = [
    ["user", "u", "user.human.added", added, "warden", day(1)],
    ["user", "u", "user.locked", {}, "warden", day(2)],
    ["user", "u", "user.unlocked", {}, "warden", day(3)],
    ["user", "u", "user.deactivated", {}, "warden", day(4)],
    ["session", "ended", "session.added", {}, "maker", day(1)],
    ["session", "ended", "session.token.set", { tokenDigest: "d" }, "maker", day(1)],
    ["session", "ended", "session.terminated", {}, "somebody", day(3)],
    ["session", "short", "session.added", {}, "maker", day(1)],
    ["session", "short", "session.lifetime.set", { lifetime: 86_400_000 }, "maker", day(1)],
    ["session", "short", "session.token.set", { tokenDigest: "d" }, "maker", day(1)],
    ["session", "first", "session.added", {}, "maker", day(1)],
    ["session", "first", "session.user.checked", checked(0), "maker", day(1)],
    ["session", "first", "session.token.set", { tokenDigest: "d" }, "maker", day(1)],
    ["session", "second", "session.added", {}, "maker", day(3)],
    ["session", "second", "session.user.checked", checked(1), "maker", day(3)],
    ["session", "second", "session.token.set", { tokenDigest: "d" }, "maker", day(3)],
  ];
  const sequences = new Map<string, number>();
  for (const [type, id, event, payload, actor, at] of log) {
    const sequence = (sequences.get(id) ?? 0) + 1;
    sequences.set(id, sequence);
    await sql`
      INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, payload, actor_id, created_at)
      VALUES (${type}, ${id}, ${sequence}, ${event}, ${JSON.stringify(payload)}::jsonb, ${actor}, ${at})`.execute(
      db,
    );
  }
  await sql`
    INSERT INTO users (id, sequence, status, type, organization_id, username, username_key, given_name, family_name,
      display_name, email, email_verified, phone_verified, password_change_required, password_failed_attempts,
      password_epoch, session_epoch, metadata, created_at, changed_at)
    VALUES ('u', 4, 'inactive', 'human', 'o', 'ann', 'ann', 'A', 'N', 'A N', 'a@example.com', false, false, false, 0,
      0, 2, '{}', ${day(1)}, ${day(4)})`.execute(db);
  const factor = JSON.stringify({ user: { checkedAt: day(1).toISOString() } });
  const challenge = JSON.stringify({ otpEmail: { code: "c", expiresAt: day(1).toISOString() } });
  for (const [id, status, userId, epoch, challenges, expiresAt, createdAt, changedAt] of [
    ["ended", "terminated", null, null, challenge, null, day(1), day(3)],
    ["short", "active", null, null, "{}", day(2), day(1), day(1)],
    ["first", "active", "u", 0, "{}", null, day(1), day(1)],
    ["second", "active", "u", 1, "{}", null, day(3), day(3)],
  ] as const) {
    await sql`
      INSERT INTO sessions (id, sequence, status, creator_id, user_id, user_organization_id, user_epoch, factors,
        challenges, metadata, token_digest, expires_at, created_at, changed_at)
      VALUES (${id}, 3, ${status}, 'maker', ${userId}, ${userId && "o"}, ${epoch}, ${userId ? factor : "{}"}::jsonb,
        ${challenges}::jsonb, '{}', 'd', ${expiresAt}, ${createdAt}, ${changedAt})`.execute(db);
  }
}
