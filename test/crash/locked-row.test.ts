import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type House, startHouse } from "../support/fixtures.ts";

describe("a session whose row somebody has locked in PostgreSQL", () => {
  let house: House;
  beforeAll(async () => {
    house = await startHouse("postgres");
  });
  afterAll(() => house.close());

  it("holds up its own ending, and nobody else's", async () => {
    const sessions = house.as(house.cast.owner);
    const create = async () => (await sessions.createSession({})).sessionId;
    const [locked, other] = [await create(), await create()];
    await house.operate(async ({ db }) => {
      const holder = await db.startTransaction().execute();
      await holder.selectFrom("sessions").select("id").where("id", "=", locked).forUpdate().execute();
      let isHeldUp = true;
      const ending = sessions.deleteSession({ sessionId: locked }).finally(() => {
        isHeldUp = false;
      });
      // Or both would be written together.
      for (let waiting = 0; waiting === 0; ) {
        const { rows } = await sql<{ count: number }>`
          SELECT count(*) AS count FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock'`.execute(db);
        waiting = rows[0]!.count;
      }
      await sessions.deleteSession({ sessionId: other });
      expect(isHeldUp).toBe(true);
      await holder.rollback().execute();
      await ending;
    });
  });
});
