import type { Caller } from "../auth/caller.ts";
import { newMachineKeyPair, readPublicKey } from "../auth/machine-key-pair.ts";
import { uuidV7 } from "../crypto/random-ids.ts";
import { DomainError } from "../errors.ts";
import { change } from "../storage/aggregate.ts";
import type { MachineKeyRow } from "../storage/tables.ts";
import type { UserDependencies } from "./dependencies.ts";
import { type CredentialPage, type ListCredentials, listCredentials } from "./machine-credentials.ts";
import { accessible } from "./permissions.ts";
import { type UserState, userAggregate } from "./user.ts";

/** `expiresAt` undefined: never. `publicKey`: PEM; undefined or empty: a pair is made here. */
export type AddKey = { userId: string; expiresAt?: Date | undefined; publicKey?: string | undefined };

/** `privateKey`: PEM, PKCS#1; shown here and never again, undefined if the key was brought along. */
export type AddedKey = { keyId: string; privateKey: string | undefined; createdAt: Date };

/**
 * Gives a service account a key to sign its assertions with: one's own, or by permission. Of a pair made here the
 * private part is stored nowhere.
 * @throws DomainError `auth.permission_denied`, `user.key_user_not_found`, `user.key_not_machine`, `user.key_expired`,
 *   `user.key_malformed`, `user.keys_busy`
 */
export async function addKey(
  { events, users, clock }: UserDependencies,
  caller: Caller,
  { userId, expiresAt, publicKey }: AddKey,
): Promise<AddedKey> {
  const mayHaveKey = (user: UserState | undefined): UserState => {
    const machine = accessible(caller, user, "user.write", "user.key_user_not_found", "selfOrPermission");
    if (machine.type !== "machine") throw new DomainError("user.key_not_machine");
    if (expiresAt && expiresAt <= clock()) throw new DomainError("user.key_expired");
    return machine;
  };
  // Asked here too, so that nobody has keys made that they may not add.
  mayHaveKey(await users.find(userId));
  const pair = publicKey ? broughtAlong(publicKey) : await newMachineKeyPair();
  const keyId = uuidV7();
  return events.decide(userId, async () => {
    const user = mayHaveKey(await users.find(userId));
    const expiration = expiresAt && { expiration: expiresAt.toISOString() };
    const payload = { keyId, publicKey: pair.publicKey, ...expiration };
    const added = change(userAggregate, user, [{ type: "user.machine.key.added", payload }], caller.userId);
    return { keyId, privateKey: pair.privateKey, createdAt: await events.append([added]) };
  });
}

/**
 * Revokes a key, with immediate effect: also on the access tokens it was exchanged for.
 * @returns when
 * @throws DomainError `auth.permission_denied`; `user.key_not_found` also if the key is another user's
 */
export function removeKey(
  { events, users, machineKeys }: UserDependencies,
  caller: Caller,
  { userId, keyId }: { userId: string; keyId: string },
): Promise<Date> {
  return events.decide(userId, async () => {
    const found = await users.find(userId);
    const user = accessible(caller, found, "user.write", "user.key_not_found", "selfOrPermission");
    const key = await machineKeys.find(keyId);
    if (key?.userId !== user.id) throw new DomainError("user.key_not_found");
    const removed = change(
      userAggregate,
      user,
      [{ type: "user.machine.key.removed", payload: { keyId } }],
      caller.userId,
    );
    return events.append([removed]);
  });
}

/** Lists the keys of users the caller may read; see `listCredentials`. */
export function listKeys(
  { machineKeys }: UserDependencies,
  caller: Caller,
  query: ListCredentials,
): Promise<CredentialPage<MachineKeyRow>> {
  return listCredentials((search) => machineKeys.search(search), caller, query);
}

function broughtAlong(pem: string): { publicKey: string; privateKey: undefined } {
  const publicKey = readPublicKey(pem);
  if (publicKey === undefined) throw new DomainError("user.key_malformed");
  return { publicKey, privateKey: undefined };
}
