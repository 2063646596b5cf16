import { DomainError } from "../../errors.ts";
import { type IdpIntentState, idpIntentAggregate } from "../../idp/intent.ts";
import { change } from "../../storage/aggregate.ts";
import type { UserState } from "../../user/user.ts";
import type { SessionDependencies } from "../dependencies.ts";
import type { CheckContext, CheckOutcome } from "./outcome.ts";

/** The intent check (spec session-api §10.3): who holds the token of a walk that succeeded has just come back from it. */
export async function checkIdpIntent(
  { identityProviders, intentTokens }: Pick<SessionDependencies, "identityProviders" | "intentTokens">,
  { user, at, actorId }: CheckContext,
  { id, token }: { id: string; token: string },
): Promise<CheckOutcome> {
  if (user === undefined) throw new DomainError("session.intent_without_user");
  intentTokens.verify(token, id);
  const intent = await identityProviders.findIntent(id);
  const provider = intent && (await identityProviders.find(intent.idpId));
  if (intent === undefined || provider?.status !== "active") {
    throw new DomainError("session.intent_not_succeeded");
  }
  return decideIntentCheck(user, intent, at, actorId);
}

/**
 * Takes the intent as proof and uses it up. The account must be linked to the user now: a link that was removed proves
 * nothing, and one that was added after the walk is as good as an old one.
 * @throws DomainError `session.intent_not_succeeded`, `session.intent_expired`, `session.intent_other_user`
 */
export function decideIntentCheck(
  user: UserState,
  intent: IdpIntentState,
  at: Date,
  actorId: string,
): CheckOutcome {
  if (intent.status !== "succeeded") throw new DomainError("session.intent_not_succeeded");
  if (intent.expiresAt! < at) throw new DomainError("session.intent_expired");
  const linked = user.idpLinks.some(
    ({ idpId, externalUserId }) => idpId === intent.idpId && externalUserId === intent.idpUserId,
  );
  if (!linked || (intent.userId !== null && intent.userId !== user.id)) {
    throw new DomainError("session.intent_other_user");
  }
  return {
    session: [
      { type: "session.intent.checked", payload: { checkedAt: at.toISOString(), idpId: intent.idpId } },
    ],
    user: [],
    others: [change(idpIntentAggregate, intent, [{ type: "idpintent.consumed", payload: {} }], actorId)],
  };
}
