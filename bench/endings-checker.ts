import { setTimeout as sleep } from "node:timers/promises";
import { SessionService } from "../src/gen/zitadel/session/v2/session_service_pb.js";
import { type Api, openApi, Refusal } from "./api.ts";
import { answerCalls } from "./child.ts";
import { monotonicMs } from "./monotonic.ts";
import type { Session } from "./wire.ts";

export type CheckedSession = Session & {
  /** The bulk ending's filter matches it. */
  isReached: boolean;
};

/** Asks over and over whether sessions are accepted, and judges what it hears. */
export type EndingsChecker = {
  /**
   * @param order.origins the nodes in turn; the first may be away at times
   * @param order.outsider credential of an account without any permission: the session's token must help it
   */
  start(order: {
    origins: readonly [string, string];
    outsider: string;
    sessions: readonly CheckedSession[];
    callers: number;
  }): Promise<void>;
  /** Waits for so many answers more. */
  answers(count: number): Promise<void>;
  /** The bulk ending was asked for and answered at these times. From here on answers to earlier checks count no more. */
  ended(times: Ended): Promise<void>;
  stop(nothing: undefined): Promise<Judgement>;
};

/** By {@link monotonicMs}. */
export type Ended = { begunAt: number; answeredAt: number };

export type Judgement = {
  /** Checks sent after the answer to EndSessions, of sessions it reaches and of others. */
  refused: number;
  accepted: number;
  /** Checks that got no answer because their node was away. */
  unanswered: number;
  wrong: number;
  /** Some of the wrong ones, in words. */
  examples: string[];
};

type Check = {
  node: 0 | 1;
  as: "token" | "bearer";
  isReached: boolean;
  outcome: string;
  sentAt: number;
  heardAt: number;
};

/** What a session that is over is answered with. */
const refusals = ["not_found", "permission_denied", "unauthenticated"];
const EXAMPLES = 5;
const RETRY_MS = 20;

let everybody: Promise<unknown> = Promise.resolve();
let stopped = false;
let apis: Api[] = [];
let ended: Ended | undefined;
/** Not judged yet: that takes the times of the ending. */
let early: Check[] = [];
const judgement: Judgement = { refused: 0, accepted: 0, unanswered: 0, wrong: 0, examples: [] };
let answers = 0;
let waiting: { until: number; resolve: () => void } | undefined;

const checker: EndingsChecker = {
  async start({ origins, outsider, sessions, callers }) {
    apis = origins.map((origin) => openApi({ origin, bearer: outsider }, callers));
    const checkForever = async () => {
      for (let turn = Math.round(Math.random()); !stopped; turn++) {
        const session = sessions[Math.floor(Math.random() * sessions.length)]!;
        await check(session, (turn % 2) as 0 | 1, Math.random() < 0.5 ? "token" : "bearer");
      }
    };
    everybody = Promise.all(Array.from({ length: callers }, checkForever));
  },
  answers(count) {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting = { until: answers + count, resolve };
    return promise;
  },
  async ended(times) {
    ended = times;
    for (const each of early) judge(each, times);
    early = [];
  },
  async stop() {
    stopped = true;
    await everybody;
    for (const api of apis) api.close();
    return judgement;
  },
};

async function check(
  { sessionId, sessionToken, isReached }: CheckedSession,
  node: Check["node"],
  as: Check["as"],
): Promise<void> {
  const api = apis[node]!;
  const { getSession } = SessionService.method;
  const sentAt = monotonicMs();
  let outcome = "accepted";
  try {
    if (as === "token") await api.call(getSession, { sessionId, sessionToken });
    else await api.call(getSession, { sessionId }, sessionToken);
  } catch (error) {
    outcome =
      error instanceof Refusal ? (refusals.includes(error.code) ? "refused" : error.code) : "unanswered";
  }
  const done = { node, as, isReached, outcome, sentAt, heardAt: monotonicMs() };
  if (ended === undefined) early.push(done);
  else judge(done, ended);
  if (outcome === "unanswered") await sleep(RETRY_MS);
  else answers += 1;
  if (waiting !== undefined && answers >= waiting.until) waiting.resolve();
}

function judge(done: Check, { begunAt, answeredAt }: Ended): void {
  const { node, as, isReached, outcome, sentAt, heardAt } = done;
  if (outcome === "unanswered" && node === 0) {
    judgement.unanswered += 1;
    return;
  }
  const isAfter = sentAt > answeredAt;
  const isBefore = heardAt < begunAt;
  const isRight = isReached
    ? (isAfter && outcome === "refused") ||
      (isBefore && outcome === "accepted") ||
      (!isAfter && !isBefore && (outcome === "refused" || outcome === "accepted"))
    : outcome === "accepted";
  if (!isRight) {
    judgement.wrong += 1;
    const what = isReached ? "a session the filter matches" : "another session";
    const when = isAfter ? `${(sentAt - answeredAt).toFixed(1)} ms after the answer` : "before the answer";
    judgement.examples.push(`${what}, by its ${as}, on node ${node === 0 ? "A" : "B"}: ${outcome} ${when}`);
    judgement.examples.length = Math.min(judgement.examples.length, EXAMPLES);
  } else if (isAfter) {
    judgement[isReached ? "refused" : "accepted"] += 1;
  }
}

answerCalls(checker);
