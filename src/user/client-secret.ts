import type { Caller } from "../auth/caller.ts";
import { clientSecretDigest, newClientSecret } from "../auth/client-secret.ts";
import { uuidV7 } from "../crypto/random-ids.ts";
import { DomainError } from "../errors.ts";
import { change } from "../storage/aggregate.ts";
import type { UserDependencies } from "./dependencies.ts";
import { accessible } from "./permissions.ts";
import { userAggregate } from "./user.ts";

/**
 * Gives a service account a client secret: one's own, or by permission. An earlier one ends, and so do the access tokens
 * it was exchanged for.
 * @returns the secret, shown here and never again
 * @throws DomainError `auth.permission_denied`, `user.secret_user_not_found`, `user.secret_not_machine`
 */
export function addSecret(
  { events, users }: UserDependencies,
  caller: Caller,
  userId: string,
): Promise<{ secret: string; createdAt: Date }> {
  const [id, secret] = [uuidV7(), newClientSecret()];
  return events.decide(userId, async () => {
    const found = await users.find(userId);
    const user = accessible(caller, found, "user.write", "user.secret_user_not_found", "selfOrPermission");
    if (user.type !== "machine") throw new DomainError("user.secret_not_machine");
    const payload = { id, digest: clientSecretDigest(secret) };
    const set = change(userAggregate, user, [{ type: "user.machine.secret.set", payload }], caller.userId);
    return { secret, createdAt: await events.append([set]) };
  });
}

/**
 * Revokes the client secret, with immediate effect: also on the access tokens it was exchanged for.
 * @returns when
 * @throws DomainError `auth.permission_denied`, `user.secret_user_not_found`, `user.secret_not_set`
 */
export function removeSecret(
  { events, users }: UserDependencies,
  caller: Caller,
  userId: string,
): Promise<Date> {
  return events.decide(userId, async () => {
    const found = await users.find(userId);
    const user = accessible(caller, found, "user.write", "user.secret_user_not_found", "selfOrPermission");
    if (user.clientSecret === null) throw new DomainError("user.secret_not_set");
    const removed = change(
      userAggregate,
      user,
      [{ type: "user.machine.secret.removed", payload: {} }],
      caller.userId,
    );
    return events.append([removed]);
  });
}
