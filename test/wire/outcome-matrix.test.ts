import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SessionClient } from "../support/clients.ts";
import { engines } from "../support/databases.ts";
import { type House, removeFromInstance, signIn, startHouse, userCheck } from "../support/fixtures.ts";

/** The columns of the matrix: who calls, and with which token in the request. */
const callers = {
  A: "the instance's owner",
  L: "the login client",
  O: "the owner of the user's organization",
  "O'": "the owner of another organization",
  U: "the session's user",
  C: "its creator, who has no right left",
  N: "nobody in particular",
  T: "nobody in particular with its token",
  "T'": "the instance's owner with a wrong token",
} as const;
type Caller = keyof typeof callers;
const columns = Object.keys(callers) as Caller[];

const ok = "OK";
const denied = Code.PermissionDenied;
const unknown = Code.NotFound;
const shown = "shown";
const hidden = "hidden";
/** There is no such call. */
const none = undefined;

type Outcome = typeof ok | typeof shown | typeof hidden | Code | undefined;
type Call = "CreateSession" | "SetSession" | "GetSession" | "ListSessions" | "DeleteSession";
/** The session the call is about, as it is before the call. */
type Given = "has a user" | "has no user" | "ended" | "ended, has no user" | "unknown";

/**
 * A column that exists nowhere else is left empty. PERMISSION_DENIED wherever the permission is missing, and NOT_FOUND
 * only to those who hold it on the instance: nobody else learns which ids exist.
 */
// biome-ignore-start format: a matrix is read by columns
const matrix: [call: Call, given: Given, ...outcomes: Outcome[]][] = [
  //                                      A        L        O        O'       U       C       N       T       T'
  ["CreateSession", "unknown", ok, ok, denied, denied, denied, denied, denied, none, none],
  ["SetSession", "has a user", ok, ok, denied, denied, denied, denied, denied, denied, ok],
  ["SetSession", "has no user", ok, ok, denied, denied, none, denied, denied, denied, ok],
  [
    "SetSession",
    "ended",
    Code.FailedPrecondition,
    Code.FailedPrecondition,
    denied,
    denied,
    denied,
    denied,
    denied,
    denied,
    Code.FailedPrecondition,
  ],
  ["SetSession", "unknown", unknown, unknown, denied, denied, denied, denied, denied, denied, unknown],
  ["GetSession", "has a user", ok, ok, ok, denied, ok, ok, denied, ok, denied],
  ["GetSession", "has no user", ok, ok, denied, denied, none, ok, denied, ok, denied],
  ["GetSession", "ended", unknown, unknown, unknown, denied, unknown, unknown, denied, unknown, unknown],
  ["GetSession", "unknown", unknown, unknown, denied, denied, denied, denied, denied, denied, unknown],
  ["ListSessions", "has a user", shown, shown, shown, hidden, shown, shown, hidden, none, none],
  ["ListSessions", "has no user", shown, shown, hidden, hidden, none, shown, hidden, none, none],
  ["ListSessions", "ended", hidden, hidden, hidden, hidden, hidden, hidden, hidden, none, none],
  ["DeleteSession", "has a user", ok, ok, ok, denied, ok, denied, denied, ok, denied],
  ["DeleteSession", "has no user", ok, ok, denied, denied, none, denied, denied, ok, denied],
  ["DeleteSession", "ended", ok, ok, ok, denied, ok, denied, denied, ok, denied],
  ["DeleteSession", "ended, has no user", ok, ok, denied, denied, none, denied, denied, ok, denied],
  ["DeleteSession", "unknown", unknown, unknown, denied, denied, denied, denied, denied, denied, denied],
]; // biome-ignore-end format: a matrix is read by columns

const cells = matrix.flatMap(([call, given, ...outcomes]) =>
  columns.flatMap((caller, index) => {
    const outcome = outcomes[index];
    if (outcome === none) return [];
    const told = typeof outcome === "string" ? outcome : Code[outcome];
    return [{ call, given, caller, outcome, who: callers[caller], told }];
  }),
);

describe.each(engines)("the outcome matrix on %s", (engine) => {
  let house: House;
  /** One session for every cell, made by the creator while that was allowed. */
  const sessions = new Map<string, { sessionId: string; sessionToken: string }>();
  const clients = {} as Record<Caller, SessionClient>;
  const keyOf = (call: Call, given: Given, caller: Caller) => `${call} ${given} ${caller}`;

  beforeAll(async () => {
    house = await startHouse(engine);
    const { cast } = house;
    const creator = house.as(cast.leaver);
    for (const { call, given, caller } of cells) {
      const hasUser = given === "has a user" || given === "ended";
      const { sessionId, sessionToken } = await creator.createSession(
        hasUser ? { checks: userCheck(cast.mia) } : {},
      );
      if (given.startsWith("ended")) await creator.deleteSession({ sessionId });
      sessions.set(keyOf(call, given, caller), {
        sessionId: given === "unknown" ? crypto.randomUUID() : sessionId,
        sessionToken,
      });
    }
    const { sessionToken } = await creator.createSession({ checks: signIn(cast.mia) });
    await house.operate((database) => removeFromInstance(database, cast.leaver));
    const tokens: Record<Caller, { token: string }> = {
      A: cast.owner,
      L: cast.loginClient,
      O: cast.orgOwner,
      "O'": cast.otherOrgOwner,
      U: { token: sessionToken },
      C: cast.leaver,
      N: cast.nobody,
      T: cast.nobody,
      "T'": cast.owner,
    };
    for (const caller of columns) clients[caller] = house.as(tokens[caller]);
  });
  afterAll(() => house.close());

  test.each(cells)(
    "$call by $who ($caller) on one that $given: $told",
    async ({ call, given, caller, outcome }) => {
      const client = clients[caller];
      const { sessionId, sessionToken } = sessions.get(keyOf(call, given, caller))!;
      const token = caller === "T" ? { sessionToken } : caller === "T'" ? { sessionToken: "wrong" } : {};
      const answers: Record<Call, () => Promise<unknown>> = {
        CreateSession: () => client.createSession({}),
        SetSession: () => client.setSession({ sessionId, lifetime: { seconds: 60n }, ...token }),
        GetSession: () => client.getSession({ sessionId, ...token }),
        DeleteSession: () => client.deleteSession({ sessionId, ...token }),
        ListSessions: async () => {
          const { sessions: rows, details } = await client.listSessions({
            queries: [{ query: { case: "idsQuery", value: { ids: [sessionId] } } }],
          });
          expect(Number(details!.totalResult)).toBe(rows.length);
          return rows.length === 1 ? shown : hidden;
        },
      };
      const answered = await answers[call]().then(
        (answer) => (typeof answer === "string" ? answer : ok),
        (error: unknown) => ConnectError.from(error).code,
      );
      expect(answered).toBe(outcome);
    },
  );
});
