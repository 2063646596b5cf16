import { personalAccessTokenDigest } from "./auth/personal-access-token.ts";
import { ConfigError } from "./config.ts";
import { uuidV7 } from "./crypto/random-ids.ts";
import { instanceAggregate } from "./organization/instance.ts";
import { organizationAggregate } from "./organization/organization.ts";
import { change } from "./storage/aggregate.ts";
import { UniqueViolation } from "./storage/database-errors.ts";
import type { EventRepository } from "./storage/event-repository.ts";
import type { OrganizationRepository } from "./storage/organization-repository.ts";
import type { InstanceRow } from "./storage/tables.ts";
import { userAggregate } from "./user/user.ts";

export type FirstStartOptions = {
  /** The administrator's token, asked for if there is no instance yet; kept already if it must be. */
  adminToken(): Promise<string>;
  /** What the master key leaves behind, to be told from another one at a later start. */
  keyCheck: string;
  /** Host part of the default organization's domain. */
  domain: string;
  onProgress?: ((step: string) => void) | undefined;
};

/**
 * The instance, made at the first start on a database: one organization and one administrator (IAM_OWNER), in one
 * append. Of several servers that start on an empty database at once, one makes it and the others use it.
 * @throws ConfigError if the instance was made under another master key
 */
export async function ensureInstance(
  events: EventRepository,
  organizations: OrganizationRepository,
  options: FirstStartOptions,
): Promise<{ instance: InstanceRow; created: boolean }> {
  const found = await foundOrMade(events, organizations, options);
  if (found.instance.keyCheck === options.keyCheck) return found;
  throw new ConfigError(
    "the master key is not the one this database was created with: every session token and stored secret would be lost",
    "give the key of the other servers, or of the first start, in GATEHOUSE_MASTER_KEY or --master-key-file",
  );
}

async function foundOrMade(
  events: EventRepository,
  organizations: OrganizationRepository,
  { adminToken, keyCheck, domain, onProgress }: FirstStartOptions,
): Promise<{ instance: InstanceRow; created: boolean }> {
  const existing = await organizations.instance();
  if (existing) return { instance: existing, created: false };

  onProgress?.("creating the instance, an organization and the administrator");
  // Kept first: a crash in between leaves a token nobody needs rather than an instance nobody can enter.
  const token = await adminToken();
  try {
    await events.append(firstChanges(token, keyCheck, domain));
  } catch (error) {
    if (!(error instanceof UniqueViolation)) throw error;
    return { instance: (await organizations.instance())!, created: false };
  }
  return { instance: (await organizations.instance())!, created: true };
}

function firstChanges(token: string, keyCheck: string, domain: string) {
  const [instanceId, organizationId, adminId] = [uuidV7(), uuidV7(), uuidV7()];
  return [
    change(
      userAggregate,
      userAggregate.initialState(adminId),
      [
        {
          type: "user.machine.added",
          payload: {
            organizationId,
            userName: "admin",
            name: "Administrator",
            description: "Made at the first start",
            accessTokenType: 0,
          },
        },
        {
          type: "user.pat.added",
          payload: { tokenId: uuidV7(), digest: personalAccessTokenDigest(token), scopes: [] },
        },
      ],
      adminId,
    ),
    change(
      organizationAggregate,
      organizationAggregate.initialState(organizationId),
      [{ type: "org.added", payload: { name: "Default", primaryDomain: `default.${domain}` } }],
      adminId,
    ),
    change(
      instanceAggregate,
      instanceAggregate.initialState(instanceId),
      [
        { type: "instance.added", payload: { defaultOrganizationId: organizationId, keyCheck } },
        { type: "instance.member.added", payload: { userId: adminId, roles: ["IAM_OWNER"] } },
      ],
      adminId,
    ),
  ];
}
