import type { Notifications } from "../notification/notifications.ts";
import type { MessageKind } from "../notify/message.ts";
import type { Change } from "../storage/aggregate.ts";
import type { CodePart, UnsentCode } from "./issued-code.ts";
import type { UserState } from "./user.ts";

const kinds = {
  email_code: "VerifyEmail",
  phone_code: "VerifyPhone",
  password_code: "PasswordReset",
} as const satisfies { readonly [part in CodePart]: MessageKind };

/**
 * The messages that bring a user's new codes, to be appended together with the codes.
 *
 * What proves an address goes to the new address. A password's code goes to the one that was proven last, and to an
 * unproven one only if none ever was.
 * @param user as it will be when the codes are stored
 */
export async function codeMessages(
  { notifications }: { notifications: Notifications },
  user: UserState,
  codes: readonly (UnsentCode | undefined)[],
  actorId: string,
): Promise<Change[]> {
  const changes: Change[] = [];
  for (const code of codes) {
    if (code === undefined) continue;
    const { part, channel, text, payload, urlTemplate } = code;
    const message = {
      kind: kinds[part],
      channel,
      about: { type: "user" as const, id: user.id, part },
      recipient: recipientOf(user, code)!,
      code: text,
      expiresAt: new Date(payload.expiresAt),
      urlTemplate,
      variables: personVariables(user),
    };
    changes.push(...(await notifications.prepare(message, actorId)));
  }
  return changes;
}

/** Where the code goes; null: the user has no such address. */
export function recipientOf(
  user: Pick<UserState, "email" | "phone" | "verifiedEmail" | "verifiedPhone">,
  { part, channel }: Pick<UnsentCode, "part" | "channel">,
): string | null {
  const current = channel === "email" ? user.email : user.phone;
  if (part !== "password_code") return current;
  return (channel === "email" ? user.verifiedEmail : user.verifiedPhone) ?? current;
}

/** What texts and links may say of a person. */
export function personVariables(user: UserState): Record<string, string> {
  return {
    UserID: user.id,
    OrgID: user.organizationId,
    LoginName: user.username,
    UserName: user.username,
    DisplayName: user.displayName ?? "",
    FirstName: user.givenName ?? "",
    LastName: user.familyName ?? "",
    NickName: user.nickName ?? "",
    PreferredLanguage: user.preferredLanguage ?? "",
  };
}
