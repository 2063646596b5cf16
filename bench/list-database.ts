import { deriveKey } from "../src/crypto/encryption.ts";
import { InternalPermissionService } from "../src/gen/zitadel/internal_permission/v2/internal_permission_service_pb.js";
import { SessionTokens } from "../src/session/session-token.ts";
import { ADDING_CALLERS, addOrganization, addPeople, keepEndedSessions } from "./accounts.ts";
import { openApi } from "./api.ts";
import { addressOf, fingerprintOf, pick, seededId, seedSessions } from "./session-seed.ts";
import type { Node } from "./stage.ts";

const ORGANIZATIONS = 5;
/** Each user, device and address has about so many sessions. */
const ALIKE = 200;
/** Every so manieth session is one user's. */
const BUSY = 100;

export type ListDatabase = {
  /** Has a hundredth of all sessions. */
  busyUserId: string;
  /** Some others. */
  userIds: string[];
  organizationIds: string[];
  creatorIds: string[];
  fingerprintIds: string[];
  addresses: string[];
  /** Credentials of somebody without permissions, and of somebody who owns an organization. */
  ordinary: string;
  owner: string;
};

/** How many of each kind are asked for in turns. */
const VARIANTS = 10;

/** Sessions of half a year, of which a tenth was ended and a twentieth has expired. */
export async function fillForList(databaseUrl: string, node: Node, sessions: number): Promise<ListDatabase> {
  const api = openApi(node, ADDING_CALLERS);
  await keepEndedSessions(api);
  const organizationIds: string[] = [];
  const people: string[] = [];
  for (let index = 0; index < ORGANIZATIONS; index++) {
    const organizationId = await addOrganization(api, `Organization ${index}`);
    organizationIds.push(organizationId);
    const count = Math.max(4, Math.ceil(sessions / ALIKE / ORGANIZATIONS));
    people.push(...(await addPeople(api, organizationId, count)));
  }
  const [busyUserId, , ownerId] = people as [string, string, string];
  await api.call(InternalPermissionService.method.createAdministrator, {
    userId: ownerId,
    resource: { resource: { case: "organizationId", value: organizationIds[0]! } },
    roles: ["ORG_OWNER"],
  });
  api.close();

  const tokens = new SessionTokens(deriveKey(Buffer.from(node.masterKey, "hex"), "session token"));
  const [ordinary, owner] = [tokens.issue(seededId(1)), tokens.issue(seededId(2))];
  const creatorIds = Array.from({ length: 20 }, (_, index) => `application-${index}`);
  const devices = Math.ceil(sessions / ALIKE);
  await seedSessions(databaseUrl, {
    count: sessions,
    userIds: people,
    // The first two are those the credentials are of.
    userOf: `CASE WHEN n <= 2 THEN n + 1 WHEN n % ${BUSY} = 0 THEN 1 ELSE 2 + ${pick(20, people.length - 1)} END`,
    days: 180,
    creatorIds,
    devices,
    terminated: `n > 2 AND ${pick(21, 10)} = 0`,
    expired: `n > 2 AND ${pick(22, 20)} = 0`,
    tokenDigests: new Map([
      [1, ordinary.digest],
      [2, owner.digest],
    ]),
  });
  const some = <T>(of: (index: number) => T) => Array.from({ length: VARIANTS }, (_, index) => of(index));
  return {
    busyUserId,
    userIds: some((index) => people[3 + index]!),
    organizationIds,
    creatorIds: creatorIds.slice(0, VARIANTS),
    fingerprintIds: some(fingerprintOf),
    addresses: some(addressOf),
    ordinary: ordinary.token,
    owner: owner.token,
  };
}
