import type { Caller } from "../auth/caller.ts";
import { DomainError } from "../errors.ts";
import { readUrlTemplate } from "../notify/url-template.ts";
import { codeRecipe } from "../organization/secret-generators.ts";
import { recipientOf } from "./code-messages.ts";
import { type ContactAnswer, storeWithCode } from "./contact-answer.ts";
import type { UserDependencies } from "./dependencies.ts";
import { issueCode } from "./issued-code.ts";
import { accessible } from "./permissions.ts";

/** How the code reaches the person: to the caller, or by a message. */
export type PasswordReset = {
  userId: string;
  medium: "return" | { channel: "email" | "sms"; urlTemplate?: string | undefined };
};

/**
 * Makes a code whose holder may set the person a new password; an open one is void.
 * @throws DomainError `auth.permission_denied`, `user.reset_not_found`, `user.reset_recipient_missing`,
 *   `notification.url_template_…`
 */
export function resetPassword(
  dependencies: UserDependencies,
  caller: Caller,
  { userId, medium }: PasswordReset,
): Promise<ContactAnswer> {
  const { events, users, organizations } = dependencies;
  return events.decide(userId, async () => {
    const found = await users.find(userId);
    const user = accessible(caller, found, "user.write", "user.reset_not_found", "selfOrPermission");
    if (user.type !== "human") throw new DomainError("user.reset_not_found");
    const recipe = await codeRecipe(organizations, "passwordReset");
    const code = issueCode(dependencies, recipe, userId, "password_code");
    const added = [{ type: "user.human.password.code.added" as const, payload: code.payload }];
    if (medium === "return") {
      return storeWithCode(dependencies, caller, user, { events: added, returned: code.text });
    }
    if (medium.urlTemplate !== undefined) readUrlTemplate("passwordReset", medium.urlTemplate);
    const unsent = { ...code, ...medium, part: "password_code" as const };
    if (recipientOf(user, unsent) === null) throw new DomainError("user.reset_recipient_missing");
    return storeWithCode(dependencies, caller, user, { events: added, unsent });
  });
}
