import { type Kysely, sql } from "kysely";
import type { Database, NotificationRow } from "./tables.ts";

/** A message that is still to be sent. `dueInMs`: when to try, by the database's clock; negative if it is late. */
export type PendingNotification = NotificationRow & { dueInMs: number };

/** The messages that leave the house. */
export class NotificationRepository {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  find(id: string): Promise<NotificationRow | undefined> {
    return this.#db.selectFrom("notifications").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** Pending messages, those first whose turn comes first. */
  next(limit: number): Promise<PendingNotification[]> {
    return this.#db
      .selectFrom("notifications")
      .selectAll()
      .select(
        sql<number>`(extract(epoch FROM next_attempt_at - clock_timestamp()) * 1000)::float8`.as("dueInMs"),
      )
      .where("status", "=", "pending")
      .orderBy("nextAttemptAt")
      .orderBy("id")
      .limit(limit)
      .execute();
  }

  /** How many messages are still to be sent. */
  async pending(): Promise<{ channel: NotificationRow["channel"]; count: number }[]> {
    return this.#db
      .selectFrom("notifications")
      .select(["channel", (eb) => eb.fn.countAll<number>().as("count")])
      .where("status", "=", "pending")
      .groupBy("channel")
      .execute();
  }
}
