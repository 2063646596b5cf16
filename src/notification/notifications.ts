import { uuidV7 } from "../crypto/random-ids.ts";
import { sealText } from "../crypto/sealed-text.ts";
import type { Channel, MessageKind } from "../notify/message.ts";
import { type Change, change } from "../storage/aggregate.ts";
import type { NotificationEvent } from "./events.ts";
import { notificationAggregate } from "./notification.ts";
import type { Providers } from "./providers.ts";

/**
 * The aggregate whose open code a message carries, and which of its codes: the message is sent only as long as that one
 * is still waited for, and the aggregate hears that it was.
 */
export type MessageSubject =
  | { type: "session"; id: string; part: "otp_sms" | "otp_email" }
  | {
      type: "user";
      id: string;
      part: "email_code" | "phone_code" | "password_code" | `passkey_code/${string}`;
    };

/** `user/<id>/email_code`: names the code, and binds it where it is stored encrypted. */
export const subjectName = ({ type, id, part }: MessageSubject): string => `${type}/${id}/${part}`;

/**
 * A code that is made where it is sent: nobody here ever knows it. The provider by its id, and one challenge that waits
 * for such a code by an id of its own, which tells it from the one before.
 */
export type GeneratedCode = { generatorId: string; challengeId: string };

/** A code as it is stored: encrypted, or made elsewhere. */
export type StoredCode = string | GeneratedCode;

/** A code on its way to a person. */
export type OutgoingMessage = {
  kind: MessageKind;
  channel: Channel;
  /** A passkey's code is `passkey_code/` and its id. */
  about: MessageSubject;
  /** Address or E.164 number. */
  recipient: string;
  /** In the clear here, encrypted in everything that is stored; or made elsewhere. */
  code: string | GeneratedCode;
  expiresAt: Date;
  /** Template of the link; without it there is none. */
  urlTemplate?: string | undefined;
  /** Further variables of texts and links: UserID, OrgID, LoginName, … by these names. */
  variables: Record<string, string>;
};

/** What is stored of a message beside its recipient. `code` is encrypted, bound to `notification/<id>/code`. */
export type StoredContent = {
  about: MessageSubject;
  code: StoredCode;
  /** How long the code was good for when it was made. */
  lifetimeMs: number;
  variables: Record<string, string>;
  urlTemplate?: string;
};

export const codeBinding = (notificationId: string): string => `notification/${notificationId}/code`;

/** The way out of the house for codes. A message is stored with what it is about, and sent after the commit. */
export class Notifications {
  readonly #providers: Providers;
  readonly #encryptionKey: Uint8Array;
  readonly #clock: () => Date;

  constructor({
    providers,
    encryptionKey,
    clock,
  }: {
    providers: Providers;
    encryptionKey: Uint8Array;
    clock: () => Date;
  }) {
    this.#providers = providers;
    this.#encryptionKey = encryptionKey;
    this.#clock = clock;
  }

  /** What is to be appended together with the code: nothing if no provider could send it. */
  async prepare(message: OutgoingMessage, actorId: string): Promise<Change[]> {
    const { kind, channel, about, recipient, code, expiresAt, urlTemplate, variables } = message;
    if (!(await this.#providers.has(channel))) return [];
    const id = uuidV7();
    const content: StoredContent = {
      about,
      code: typeof code === "string" ? sealText(this.#encryptionKey, code, codeBinding(id)) : code,
      // In whole seconds: the code is a few milliseconds old by now, and its five minutes are to be called five.
      lifetimeMs: Math.round((expiresAt.getTime() - this.#clock().getTime()) / 1_000) * 1_000,
      variables,
      ...(urlTemplate === undefined ? {} : { urlTemplate }),
    };
    const added: NotificationEvent = {
      type: "notification.added",
      payload: {
        channel,
        kind,
        subject: subjectName(about),
        recipient,
        content,
        expiresAt: expiresAt.toISOString(),
      },
    };
    return [change(notificationAggregate, notificationAggregate.initialState(id), [added], actorId)];
  }
}
