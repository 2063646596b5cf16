import { pbkdf2Sync, randomUUID } from "node:crypto";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { SessionSettingsService } from "../src/gen/gatehouse/session/v1/session_settings_service_pb.js";
import { OrganizationService } from "../src/gen/zitadel/org/v2/org_service_pb.js";
import { UserService } from "../src/gen/zitadel/user/v2/user_service_pb.js";
import type { Api } from "./api.ts";

/** Callers of an {@link Api} that adds people. */
export const ADDING_CALLERS = 32;

/** Has the server leave ended sessions as they are, so that what was counted stays so. */
export async function keepEndedSessions(api: Api): Promise<void> {
  const retention = { foldAfterDays: 0, removeAfterDays: 0 };
  await api.call(SessionSettingsService.method.setSessionSettings, { settings: { retention } });
}

/** @returns its id */
export async function addOrganization(api: Api, name: string): Promise<string> {
  return (await api.call(OrganizationService.method.addOrganization, { name })).organizationId;
}

/** Everybody's. */
export const PASSWORD = "Correct-Horse-1";

/**
 * People of an organization, each with a password that was hashed elsewhere.
 * @param hash of {@link PASSWORD}; by default one that costs little
 * @returns their ids
 */
export async function addPeople(
  api: Api,
  organizationId: string,
  count: number,
  hash = cheapHash,
): Promise<string[]> {
  const ids: string[] = [];
  let ordered = 0;
  await Promise.all(
    Array.from({ length: ADDING_CALLERS }, async () => {
      while (ordered < count) {
        ordered += 1;
        const username = `${randomUUID()}@${organizationId}.example.com`;
        const { userId } = await api.call(UserService.method.addHumanUser, {
          username,
          organization: { org: { case: "orgId", value: organizationId } },
          profile: { givenName: "Some", familyName: "Body" },
          email: { email: username, verification: { case: "isVerified", value: true } },
          passwordType: { case: "hashedPassword", value: { hash } },
        });
        ids.push(userId);
      }
    }),
  );
  return ids;
}

/** A service account that may do nothing in particular. @returns its token */
export async function addOutsider(api: Api, organizationId: string): Promise<string> {
  const { id: userId } = await api.call(UserService.method.createUser, {
    organizationId,
    userType: { case: "machine", value: { name: "Outsider" } },
  });
  const expirationDate = timestampFromMs(Date.now() + 86_400_000);
  return (await api.call(UserService.method.addPersonalAccessToken, { userId, expirationDate })).token;
}

/** One round of PBKDF2. */
const cheapHash = `$pbkdf2-sha256$1$${base64("salt-of-the-bench")}$${base64(pbkdf2Sync(PASSWORD, "salt-of-the-bench", 1, 32, "sha256"))}`;

/** As passlib writes it. */
function base64(bytes: string | Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replace(/=+$/, "").replaceAll("+", ".");
}
