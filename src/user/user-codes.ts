import type { CodeHolder } from "../notification/code-holder.ts";
import { COURIER } from "../notification/code-holder.ts";
import type { MessageSubject } from "../notification/notifications.ts";
import { change } from "../storage/aggregate.ts";
import type { UserRepository } from "../storage/user-repository.ts";
import type { UserEvent } from "./events.ts";
import { type UserState, userAggregate, userExists } from "./user.ts";

type UserSubject = Extract<MessageSubject, { type: "user" }>;

/** Where the codes of users wait, for whoever sends them. */
export function userCodes({ users }: { users: UserRepository }): CodeHolder<UserSubject> {
  return {
    openCode: async (about) => openCode(await users.find(about.id), about),
    sent: async (about, sealedCode) => {
      const user = await users.find(about.id);
      if (user === undefined || openCode(user, about) !== sealedCode) return [];
      return [change(userAggregate, user, [sentEvent(about)], COURIER)];
    },
  };
}

const passkeyPrefix = "passkey_code/";

function openCode(user: UserState | undefined, { part }: UserSubject): string | undefined {
  if (user === undefined || !userExists(user)) return undefined;
  switch (part) {
    case "email_code":
      return user.emailCode?.encrypted;
    case "phone_code":
      return user.phoneCode?.encrypted;
    case "password_code":
      return user.passwordCode?.encrypted;
    default:
      return user.passkeyCodes.find(({ id }) => id === part.slice(passkeyPrefix.length))?.encrypted;
  }
}

function sentEvent({ part }: UserSubject): UserEvent {
  switch (part) {
    case "email_code":
      return { type: "user.human.email.code.sent", payload: {} };
    case "phone_code":
      return { type: "user.human.phone.code.sent", payload: {} };
    case "password_code":
      return { type: "user.human.password.code.sent", payload: {} };
    default:
      return {
        type: "user.human.passwordless.initialization.code.sent",
        payload: { id: part.slice(passkeyPrefix.length) },
      };
  }
}
