/*
 * Express with express-session and its PostgreSQL store, set up as their documentation shows, and a sign-out that
 * destroys the session.
 */
import { createHmac, randomBytes } from "node:crypto";
import { once } from "node:events";
import connectPgSimple from "connect-pg-simple";
import express from "express";
import session from "express-session";
import pg from "pg";
import { answerCalls } from "../child.ts";

const secret = randomBytes(32).toString("base64url");
const MAX_AGE_MS = 86_400_000;
let pool;
let store;

const peer = {
  async start({ databaseUrl }) {
    pool = new pg.Pool({ connectionString: databaseUrl });
    store = new (connectPgSimple(session))({ pool, createTableIfMissing: true });
    const app = express();
    app.use(
      session({ store, secret, resave: false, saveUninitialized: false, cookie: { maxAge: MAX_AGE_MS } }),
    );
    app.post("/sign-out", (request, response, next) => {
      if (request.session.userId === undefined) return response.status(401).json({ success: false });
      request.session.destroy((error) => (error ? next(error) : response.json({ success: true })));
    });
    const server = app.listen(0, "127.0.0.1");
    await once(server, "listening");
    return `http://127.0.0.1:${server.address().port}`;
  },

  /** Rows like the one the store makes itself. */
  async createSessions({ count }) {
    const ids = Array.from({ length: count }, () => randomBytes(24).toString("base64url"));
    const cookie = new session.Cookie({ maxAge: MAX_AGE_MS });
    const made = { cookie, userId: "somebody", device: "laptop", ip: "192.0.2.7" };
    await new Promise((resolve, reject) =>
      store.set(ids[0], made, (error) => (error ? reject(error) : resolve())),
    );
    await pool.query(
      "INSERT INTO session SELECT fresh.sid, made.sess, made.expire FROM unnest($1::text[]) AS fresh(sid), (SELECT * FROM session WHERE sid = $2) AS made",
      [ids.slice(1), ids[0]],
    );
    await pool.query("ANALYZE session");
    return ids.map((id) => `connect.sid=${encodeURIComponent(`s:${id}.${signed(id)}`)}`);
  },

  async countSessions() {
    return Number((await pool.query("SELECT count(*) FROM session")).rows[0].count);
  },
};

/** As cookie-signature does. */
const signed = (id) => createHmac("sha256", secret).update(id).digest("base64").replace(/=+$/, "");

answerCalls(peer);
