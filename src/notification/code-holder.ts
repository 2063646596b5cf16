import type { Change } from "../storage/aggregate.ts";
import type { MessageSubject, StoredCode } from "./notifications.ts";

/**
 * Where codes wait to be typed in: sessions, or users. The rooms that own them implement it, so that this one need not
 * know what a session is.
 */
export type CodeHolder<S extends MessageSubject> = {
  /** The code that is waited for now, as it is stored; undefined: none is (answered, withdrawn, the session over). */
  openCode(about: S): Promise<StoredCode | undefined>;
  /**
   * What tells the aggregate that the message with this code was sent; nothing if it waits for another one by now, or
   * for none: late news is no news.
   * @param code as `openCode` gave it
   * @param verificationId of a code made elsewhere: what its maker knows it by
   */
  sent(about: S, code: StoredCode, verificationId?: string): Promise<Change[]>;
};

export type CodeHolders = {
  readonly [type in MessageSubject["type"]]: CodeHolder<Extract<MessageSubject, { type: type }>>;
};

/** Whose code it is. */
export const holderOf = (holders: CodeHolders, { type }: MessageSubject): CodeHolder<MessageSubject> =>
  // Each holder is asked about its own type only, which the compiler cannot see.
  holders[type] as unknown as CodeHolder<MessageSubject>;

/** Whether two stored codes are one and the same. */
export function isSameCode(one: StoredCode | undefined, other: StoredCode): boolean {
  if (typeof one === "object" && typeof other === "object") return one.challengeId === other.challengeId;
  return one === other;
}

/** Who did it, in events of messages: this server by itself. */
export const COURIER = "system";
