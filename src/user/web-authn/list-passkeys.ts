import type { Caller } from "../../auth/caller.ts";
import type { WebAuthNCredential } from "../../storage/tables.ts";
import type { UserDependencies } from "../dependencies.ts";
import { mayAct } from "../permissions.ts";
import { readyCredentials } from "./credentials.ts";

/** A person's passkeys, oldest first: one's own, or by `user.read`. To everybody else there are none. */
export async function listPasskeys(
  { users }: Pick<UserDependencies, "users">,
  caller: Caller,
  userId: string,
): Promise<WebAuthNCredential[]> {
  const user = await users.find(userId);
  if (user === undefined || !mayAct(caller, user, "user.read", "selfOrPermission")) return [];
  return readyCredentials(user, "passkey");
}
