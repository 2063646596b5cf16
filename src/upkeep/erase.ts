import { erasedSession } from "../session/erased-session.ts";
import { summaryOf } from "../session/summary.ts";
import type { Account, Erasure, ErasureRepository } from "../storage/erasure-repository.ts";
import type { Committed, Step, UpkeepRepository } from "../storage/upkeep-repository.ts";
import { erasedPayload } from "../user/erased-event.ts";
import type { UserEvent } from "../user/events.ts";
import { takeTurns } from "./take-turns.ts";
import type { UpkeepTask } from "./upkeep-worker.ts";

const SESSIONS = 100;
const EVENTS = 500;

/**
 * Erases the personal data of removed users from rows and log: first their sessions, which become one event each whatever
 * the retention says, then their own streams, messages to them, and their walks to identity providers.
 */
export function eraser({
  upkeep,
  erasures,
  onErased,
}: {
  upkeep: UpkeepRepository;
  erasures: ErasureRepository;
  onErased: () => void;
}): UpkeepTask["run"] {
  /** How far a stream that takes several steps has come. */
  const places = new Map<string, number>();
  return takeTurns<Erasure>(upkeep, {
    next: (step, after) => erasures.next(step, after),
    isAnyLeft: () => erasures.isAnyLeft(),
    work: async (step, erasure, committed) => {
      const sessions = await erasures.lockSessions(step, erasure, SESSIONS);
      const erased = sessions.map(erasedSession);
      await erasures.writeSessions(
        step,
        erased.map((session) => ({ session, summary: summaryOf(session) })),
      );
      const isMore = sessions.length === SESSIONS || (await erasures.isAnySessionLeft(step, erasure));
      return sessions.length + (isMore ? 0 : await eraseStream(step, erasure, committed));
    },
  });

  async function eraseStream(step: Step, erasure: Erasure, committed: Committed): Promise<number> {
    const key = `${erasure.userId} ${erasure.epoch}`;
    const events = await erasures.stream(step, erasure, places.get(key) ?? erasure.beginsAfter, EVENTS);
    await erasures.removeIntents(step, erasure, events.flatMap(linked));
    await erasures.writePayloads(
      step,
      erasure,
      events.map(({ sequence, payload }) => ({ sequence, payload: erasedPayload(payload) })),
    );
    if (events.length === EVENTS) {
      committed(() => places.set(key, events.at(-1)!.sequence));
      return events.length;
    }
    await erasures.removeUserMessages(step, erasure);
    await erasures.finish(step, erasure);
    committed(() => {
      places.delete(key);
      onErased();
    });
    return events.length;
  }
}

function linked({ type, payload }: { type: string; payload: object }): Account[] {
  const event = { type, payload } as UserEvent;
  if (event.type !== "user.human.externalidp.added") return [];
  return [{ idpId: event.payload.idpConfigId, externalUserId: event.payload.userId }];
}
