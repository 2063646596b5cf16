/*
 * better-auth behind node:http, as its documentation sets it up for PostgreSQL: sessions in the database, and no second
 * copy of them in a cookie, so that every get-session asks the database as Gatehouse does. Rate limiting, which counts
 * in memory, is off; telemetry is off unless asked for.
 */
import { createHmac, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import pg from "pg";
import { answerCalls } from "../child.ts";

const secret = randomBytes(32).toString("base64url");
let pool;
let userId;

const peer = {
  async start({ databaseUrl }) {
    pool = new pg.Pool({ connectionString: databaseUrl });
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const origin = `http://127.0.0.1:${server.address().port}`;
    const options = {
      baseURL: origin,
      secret,
      database: pool,
      emailAndPassword: { enabled: true },
      rateLimit: { enabled: false },
      telemetry: { enabled: false },
    };
    await (await getMigrations(options)).runMigrations();
    const auth = betterAuth(options);
    server.on("request", toNodeHandler(auth));
    const body = { name: "Some Body", email: "somebody@example.com", password: "Correct-Horse-1" };
    userId = (await auth.api.signUpEmail({ body })).user.id;
    return origin;
  },

  /** Rows like the one it makes itself when somebody signs up. */
  async createSessions({ count }) {
    const tokens = Array.from({ length: count }, () => randomBytes(24).toString("base64url"));
    const { fields } = await pool.query('SELECT * FROM "session" LIMIT 0');
    const columns = fields.map(({ name }) => `"${name}"`);
    const own = { '"id"': "token", '"token"': "token" };
    await pool.query(
      `INSERT INTO "session" (${columns})
       SELECT ${columns.map((column) => (own[column] ? `fresh.${own[column]}` : `made.${column}`))}
       FROM unnest($1::text[]) AS fresh(token),
         (SELECT * FROM "session" WHERE "userId" = $2 ORDER BY "createdAt" LIMIT 1) AS made`,
      [tokens, userId],
    );
    await pool.query('ANALYZE "session"');
    return tokens.map(
      (token) => `better-auth.session_token=${encodeURIComponent(`${token}.${signed(token)}`)}`,
    );
  },

  async countSessions() {
    return Number((await pool.query('SELECT count(*) FROM "session"')).rows[0].count);
  },
};

const signed = (token) => createHmac("sha256", secret).update(token).digest("base64");

answerCalls(peer);
