import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds that only go up, and waiting for some of them to pass. */
export type Clock = { now(): number; sleep(ms: number): Promise<unknown> };

const realClock: Clock = { now: () => performance.now(), sleep: (ms) => sleep(ms) };

/** Sends one request as the caller of that number, from 0; undefined if there is none left. */
export type Send = (caller: number) => Promise<unknown> | undefined;

/** Every request's milliseconds, and how long all of it took. */
export type Loop = { latencies: number[]; seconds: number };

/** Each caller sends its next request as soon as it has the answer to the last: the server sets the pace. */
export async function closedLoop(
  { callers, seconds }: { callers: number; seconds: number },
  send: Send,
  { now }: Clock = realClock,
): Promise<Loop> {
  const latencies: number[] = [];
  const startedAt = now();
  const endsAt = startedAt + seconds * 1_000;
  const call = async (caller: number) => {
    for (let sentAt = now(); sentAt < endsAt; sentAt = now()) {
      const answer = send(caller);
      if (answer === undefined) return;
      await answer;
      latencies.push(now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)));
  return { latencies, seconds: (now() - startedAt) / 1_000 };
}

/**
 * Requests are due at fixed times, whatever the server does: the world sets the pace. A request's time begins when it
 * is due, not when a caller was free to send it, so a server that stands still for a second is late for all who came
 * in that second, and not for one caller each (what is known as coordinated omission).
 *
 * The timers of Node wake up to a millisecond late; that is in the figures.
 */
export async function openLoop(
  { callers, seconds, perSecond }: { callers: number; seconds: number; perSecond: number },
  send: Send,
  { now, sleep }: Clock = realClock,
): Promise<Loop> {
  const latencies: number[] = [];
  const startedAt = now();
  const count = Math.floor(perSecond * seconds);
  let next = 0;
  const call = async (caller: number) => {
    while (next < count) {
      const dueAt = startedAt + (next++ * 1_000) / perSecond;
      const earlyMs = dueAt - now();
      if (earlyMs > 0) await sleep(earlyMs);
      const answer = send(caller);
      if (answer === undefined) return;
      await answer;
      latencies.push(now() - dueAt);
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)));
  return { latencies, seconds: (now() - startedAt) / 1_000 };
}
