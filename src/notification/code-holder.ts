import type { Change } from "../storage/aggregate.ts";
import type { MessageSubject } from "./notifications.ts";

/**
 * Where codes wait to be typed in: sessions, or users. The rooms that own them implement it, so that this one need not
 * know what a session is.
 */
export type CodeHolder<S extends MessageSubject> = {
  /** The code that is waited for now, as it is stored; undefined: none is (answered, withdrawn, the session over). */
  openCode(about: S): Promise<string | undefined>;
  /**
   * What tells the aggregate that the message with this code was sent; nothing if it waits for another one by now, or
   * for none: late news is no news.
   * @param sealedCode as `openCode` gave it
   */
  sent(about: S, sealedCode: string): Promise<Change[]>;
};

export type CodeHolders = {
  readonly [type in MessageSubject["type"]]: CodeHolder<Extract<MessageSubject, { type: type }>>;
};

/** Whose code it is. */
export const holderOf = (holders: CodeHolders, { type }: MessageSubject): CodeHolder<MessageSubject> =>
  // Each holder is asked about its own type only, which the compiler cannot see.
  holders[type] as unknown as CodeHolder<MessageSubject>;

/** Who did it, in events of messages: this server by itself. */
export const COURIER = "system";
