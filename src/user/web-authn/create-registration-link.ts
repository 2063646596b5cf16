import type { Caller } from "../../auth/caller.ts";
import { DomainError } from "../../errors.ts";
import { readUrlTemplate } from "../../notify/url-template.ts";
import { codeRecipe } from "../../organization/secret-generators.ts";
import { type Change, change } from "../../storage/aggregate.ts";
import { type Details, detailsOf } from "../../storage/details.ts";
import { personVariables } from "../code-messages.ts";
import type { UserDependencies } from "../dependencies.ts";
import type { UserEvent } from "../events.ts";
import { accessible } from "../permissions.ts";
import { type UserState, userAggregate } from "../user.ts";
import { type GivenPasskeyCode, type IssuedPasskeyCode, issuePasskeyCode } from "./passkey-code.ts";

/** How the code reaches the person: back to the caller, or by mail. */
export type CreateRegistrationLink = {
  userId: string;
  medium: "return" | { urlTemplate?: string | undefined };
};

/** `code` only if it was to be returned. */
export type CreatedRegistrationLink = { details: Details; code?: GivenPasskeyCode };

/**
 * Makes a code that lets whoever has it register a passkey for a person, once, within the hour.
 * @throws DomainError `auth.permission_denied`, `user.web_auth_n_user_not_found`, `notification.url_template_…`
 */
export function createRegistrationLink(
  dependencies: UserDependencies,
  caller: Caller,
  { userId, medium }: CreateRegistrationLink,
): Promise<CreatedRegistrationLink> {
  const { events, users, organizations } = dependencies;
  return events.decide(userId, async () => {
    const notFound = "user.web_auth_n_user_not_found";
    const user = accessible(caller, await users.find(userId), "user.passkey.write", notFound);
    if (user.type !== "human") throw new DomainError(notFound);
    const issued = issuePasskeyCode(
      dependencies,
      await codeRecipe(organizations, "passkeyRegistration"),
      userId,
    );
    const added: UserEvent = {
      type: `user.human.passwordless.initialization.code.${medium === "return" ? "added" : "requested"}`,
      payload: issued.payload,
    };
    const messages =
      medium === "return"
        ? []
        : await linkMessages(dependencies, user, issued, medium.urlTemplate, caller.userId);
    const changed = change(userAggregate, user, [added], caller.userId);
    const details = detailsOf(
      changed.state,
      user.organizationId,
      await events.append([changed, ...messages]),
    );
    return medium === "return" ? { details, code: { id: issued.id, code: issued.code } } : { details };
  });
}

/** To the address proven last, and to an unproven one only if none ever was: as a password's reset. */
async function linkMessages(
  { notifications }: UserDependencies,
  user: UserState,
  { id, code, expiresAt }: IssuedPasskeyCode,
  urlTemplate: string | undefined,
  actorId: string,
): Promise<Change[]> {
  if (urlTemplate !== undefined) readUrlTemplate("passkeyRegistration", urlTemplate);
  return notifications.prepare(
    {
      kind: "PasskeyRegistration",
      channel: "email",
      about: { type: "user", id: user.id, part: `passkey_code/${id}` },
      recipient: user.verifiedEmail ?? user.email!,
      code,
      expiresAt,
      urlTemplate,
      variables: { ...personVariables(user), CodeID: id },
    },
    actorId,
  );
}
