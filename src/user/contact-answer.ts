import type { Caller } from "../auth/caller.ts";
import { change } from "../storage/aggregate.ts";
import { type Details, detailsOf } from "../storage/details.ts";
import { codeMessages } from "./code-messages.ts";
import type { ContactChange, Verification } from "./contact.ts";
import type { UserDependencies } from "./dependencies.ts";
import type { Entitlement } from "./permissions.ts";
import { type UserState, userAggregate } from "./user.ts";

/** What a request that may make a code answers; the code only if it was to be returned. */
export type ContactAnswer = { details: Details; verificationCode?: string | undefined };

/** Stores what was decided, together with the message that brings the code. */
export async function storeWithCode(
  dependencies: UserDependencies,
  caller: Caller,
  user: UserState,
  { events, returned, unsent }: ContactChange,
): Promise<ContactAnswer> {
  const changed = change(userAggregate, user, events, caller.userId);
  const messages = await codeMessages(dependencies, changed.state, [unsent], caller.userId);
  const appendedAt = await dependencies.events.append([changed, ...messages]);
  return {
    details: detailsOf(changed.state, user.organizationId, appendedAt),
    verificationCode: returned,
  };
}

/** One may change one's own address, but not vouch for it, nor be handed the code that proves it. */
export const entitlementFor = (verification: Verification): Entitlement =>
  verification === "verified" || verification === "return" ? "permission" : "selfOrPermission";
