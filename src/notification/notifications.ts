import { uuidV7 } from "../crypto/random-ids.ts";
import { sealText } from "../crypto/sealed-text.ts";
import { type Change, change } from "../storage/aggregate.ts";
import type { OrganizationRepository } from "../storage/organization-repository.ts";
import type { NotificationEvent } from "./events.ts";
import { notificationAggregate } from "./notification.ts";

export type MessageKind =
  | "VerifyEmailOTP"
  | "VerifySMSOTP"
  | "VerifyEmail"
  | "VerifyPhone"
  | "PasswordReset"
  | "PasskeyRegistration";

/** A code on its way to a person. */
export type OutgoingMessage = {
  kind: MessageKind;
  channel: "email" | "sms";
  /** The aggregate that hears when the message was sent, and the part of it: `otp_sms`, `email_code`. */
  about: { type: "session" | "user"; id: string; part: string };
  /** Address or E.164 number. */
  recipient: string;
  /** In the clear here, encrypted in everything that is stored. */
  code: string;
  expiresAt: Date;
  /** Template of the link; the server's own without it. */
  urlTemplate?: string | undefined;
  /** Further variables of texts and links: UserID, OrgID, LoginName, … by these names. */
  variables: Record<string, string>;
};

/** The way out of the house for codes. A message is stored with what it is about, and sent after the commit. */
export class Notifications {
  readonly #organizations: OrganizationRepository;
  readonly #encryptionKey: Uint8Array;

  constructor({
    organizations,
    encryptionKey,
  }: {
    organizations: OrganizationRepository;
    encryptionKey: Uint8Array;
  }) {
    this.#organizations = organizations;
    this.#encryptionKey = encryptionKey;
  }

  /** What is to be appended together with the code: nothing if no provider could send it. */
  async prepare(message: OutgoingMessage, actorId: string): Promise<Change[]> {
    const { kind, channel, about, recipient, code, expiresAt, urlTemplate, variables } = message;
    if (!(await this.#hasProvider(channel))) return [];
    const id = uuidV7();
    const added: NotificationEvent = {
      type: "notification.added",
      payload: {
        channel,
        kind,
        subject: `${about.type}/${about.id}/${about.part}`,
        recipient,
        content: {
          code: sealText(this.#encryptionKey, code, `notification/${id}/code`),
          variables,
          ...(urlTemplate === undefined ? {} : { urlTemplate }),
        },
        expiresAt: expiresAt.toISOString(),
      },
    };
    return [change(notificationAggregate, notificationAggregate.initialState(id), [added], actorId)];
  }

  async #hasProvider(channel: OutgoingMessage["channel"]): Promise<boolean> {
    const instance = await this.#organizations.instance();
    const providers = channel === "email" ? instance?.emailProviders : instance?.smsProviders;
    return providers?.some(({ active }) => active) ?? false;
  }
}
