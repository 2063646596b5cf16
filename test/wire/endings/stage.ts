import type { JsonObject } from "@bufbuild/protobuf";
import { sql } from "kysely";
import { expect } from "vitest";
import { hashPassword } from "../../../src/crypto/password-hash.ts";
import { SessionService } from "../../../src/gen/zitadel/session/v2/session_service_pb.js";
import { UserService } from "../../../src/gen/zitadel/user/v2/user_service_pb.js";
import type { OpenDatabase } from "../../../src/storage/database.ts";
import { type AnyCall, anyCall, refusalCode } from "../../support/any-method.ts";
import { type Cast, PASSWORD } from "../../support/fixtures.ts";
import type { Protocol } from "../protocols.ts";

export type Person = { id: string; organizationId: string };

/** A session that has proven enough to be a credential. */
export type Signed = { id: string; token: string; person: Person; removes?: JsonObject };

/** Where the ways to end a session are tried: one node, one protocol. */
export type Stage = {
  cast: Cast;
  owner: AnyCall;
  as(token: string): AnyCall;
  /** Somebody new with the password of everybody, at home unless it says otherwise. */
  newPerson(more?: JsonObject & { organizationId?: string }): Promise<Person>;
  signedIn(person: Person, more?: JsonObject & { checks?: JsonObject }): Promise<Signed>;
  password(person: Person, password?: string): JsonObject;
  refused: typeof refusalCode;
  /** Until the session's expiration lies in the past. */
  past(sessionId: string): Promise<void>;
  /** Moves a session and its log into the past, as if nobody had used it since. */
  unusedFor(sessionId: string, seconds: number): Promise<void>;
  expect: typeof expect;
};

let hashed: string | undefined;

export function stageOn(url: string, protocol: Protocol, cast: Cast, database: () => OpenDatabase): Stage {
  const as = (token: string) => anyCall(url, token, protocol);
  const owner = as(cast.owner.token);
  const password: Stage["password"] = ({ id }, text = PASSWORD) => ({
    user: { userId: id },
    password: { password: text },
  });
  return {
    cast,
    owner,
    as,
    password,
    refused: refusalCode,
    expect,
    async newPerson({ organizationId = cast.home.id, ...more } = {}) {
      hashed ??= hashPassword(PASSWORD);
      const name = crypto.randomUUID();
      const { userId } = await owner(UserService.method.addHumanUser, {
        username: name,
        organization: { orgId: organizationId },
        profile: { givenName: "Ann", familyName: "Example" },
        email: { email: `${name}@example.com`, isVerified: true },
        hashedPassword: { hash: hashed },
        ...more,
      });
      return { id: userId as string, organizationId };
    },
    async signedIn(person, { checks = {}, ...more } = {}) {
      const { sessionId, sessionToken } = await owner(SessionService.method.createSession, {
        checks: { ...password(person), ...checks },
        ...more,
      });
      return { id: sessionId as string, token: sessionToken as string, person };
    },
    async past(sessionId) {
      const { session } = await owner(SessionService.method.getSession, { sessionId });
      const { expirationDate } = session as { expirationDate: string };
      // On the clock of this machine, which is the database's.
      while (Date.now() <= Date.parse(expirationDate)) await new Promise(setImmediate);
    },
    async unusedFor(sessionId, seconds) {
      const { db } = database();
      const before = sql`${seconds} * interval '1 second'`;
      await db.transaction().execute(async (trx) => {
        await sql`UPDATE events SET created_at = created_at - ${before}
          WHERE aggregate_type = 'session' AND aggregate_id = ${sessionId}`.execute(trx);
        await sql`UPDATE sessions SET created_at = created_at - ${before}, changed_at = changed_at - ${before},
          last_used_at = last_used_at - ${before}, idle_ends_at = idle_ends_at - ${before}
          WHERE id = ${sessionId}`.execute(trx);
      });
    },
  };
}
