import { settled } from "./aggregate.ts";

/** What a write answers about the aggregate it changed. */
export type Details = { sequence: number; changedAt: Date; createdAt: Date; resourceOwner: string };

/** @param appendedAt the append's time, for a state folded before it */
export function detailsOf(
  state: { sequence: number; changedAt: Date; createdAt: Date },
  resourceOwner: string,
  appendedAt?: Date,
): Details {
  const time = (at: Date) => (appendedAt ? settled(at, appendedAt) : at);
  return {
    sequence: state.sequence,
    changedAt: time(state.changedAt),
    createdAt: time(state.createdAt),
    resourceOwner,
  };
}
