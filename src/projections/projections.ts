import { identityProviderAggregate } from "../idp/identity-provider.ts";
import { idpIntentAggregate } from "../idp/intent.ts";
import { notificationAggregate } from "../notification/notification.ts";
import type { InstanceEvent, OrganizationEvent } from "../organization/events.ts";
import { instanceAggregate } from "../organization/instance.ts";
import { organizationAggregate } from "../organization/organization.ts";
import { endingAggregate } from "../session/ending/ending.ts";
import { sessionAggregate } from "../session/session.ts";
import type { Recorded } from "../storage/aggregate.ts";
import type { Projection, Projections, SideWrite } from "../storage/projection.ts";
import {
  type EndReason,
  endingTable,
  INSTANCE_RESOURCE,
  identityProviderTable,
  idpIntentTable,
  idpLinkTable,
  instanceTable,
  machineKeyTable,
  membershipTable,
  notificationTable,
  organizationTable,
  personalAccessTokenTable,
  sessionTable,
  userEndingTable,
  userTable,
} from "../storage/tables.ts";
import type { UserEvent } from "../user/events.ts";
import { type UserState, userAggregate } from "../user/user.ts";

const session: Projection = {
  aggregate: sessionAggregate,
  table: sessionTable,
  sideTables: [],
  sideWrites: () => [],
};

const ending: Projection = {
  aggregate: endingAggregate,
  table: endingTable,
  sideTables: [],
  sideWrites: () => [],
};

const user: Projection = {
  aggregate: userAggregate,
  table: userTable,
  sideTables: [personalAccessTokenTable, machineKeyTable, idpLinkTable, userEndingTable],
  sideWrites: (userId, event, state) =>
    userWrites(userId, event as Recorded<UserEvent>, state as unknown as UserState),
};

const idp: Projection = {
  aggregate: identityProviderAggregate,
  table: identityProviderTable,
  sideTables: [],
  sideWrites: () => [],
};

const idpintent: Projection = {
  aggregate: idpIntentAggregate,
  table: idpIntentTable,
  sideTables: [],
  sideWrites: () => [],
};

const notification: Projection = {
  aggregate: notificationAggregate,
  table: notificationTable,
  sideTables: [],
  sideWrites: () => [],
};

const org: Projection = {
  aggregate: organizationAggregate,
  table: organizationTable,
  sideTables: [membershipTable],
  sideWrites: (organizationId, event) => memberWrites(organizationId, event as Recorded<OrganizationEvent>),
};

const instance: Projection = {
  aggregate: instanceAggregate,
  table: instanceTable,
  sideTables: [membershipTable],
  sideWrites: (_, event) => memberWrites(INSTANCE_RESOURCE, event as Recorded<InstanceEvent>),
};

/** Every kind of aggregate and the rows it becomes; the order is the one rows are locked in. */
export const projections: Projections = {
  session,
  ending,
  user,
  idp,
  idpintent,
  notification,
  org,
  instance,
};

function userWrites(userId: string, event: Recorded<UserEvent>, state: UserState): SideWrite[] {
  const { organizationId } = state;
  switch (event.type) {
    case "user.locked":
      return [sessionsEnded("user_locked")];
    case "user.deactivated":
      return [sessionsEnded("user_deactivated")];
    case "user.sessions.ended":
      return [sessionsEnded(event.payload.reason)];
    case "user.pat.added": {
      const { tokenId: id, digest, expiration } = event.payload;
      const [expiresAt, createdAt] = [dateOrNull(expiration), event.createdAt];
      const put = { id, digest, userId, organizationId, expiresAt, createdAt };
      return [{ table: personalAccessTokenTable, put }];
    }
    case "user.pat.removed":
      return [{ table: personalAccessTokenTable, drop: { id: event.payload.tokenId } }];
    case "user.machine.key.added": {
      const { keyId: id, publicKey, expiration } = event.payload;
      const [expiresAt, createdAt] = [dateOrNull(expiration), event.createdAt];
      const put = { id, userId, organizationId, publicKey, expiresAt, createdAt };
      return [{ table: machineKeyTable, put }];
    }
    case "user.machine.key.removed":
      return [{ table: machineKeyTable, drop: { id: event.payload.keyId } }];
    case "user.human.externalidp.added": {
      const { idpConfigId: idpId, userId: externalUserId, displayName } = event.payload;
      return [{ table: idpLinkTable, put: { userId, idpId, externalUserId, displayName } }];
    }
    case "user.human.externalidp.removed": {
      const { idpConfigId: idpId, userId: externalUserId } = event.payload;
      return [{ table: idpLinkTable, drop: { userId, idpId, externalUserId } }];
    }
    case "user.removed":
      return [
        ...[personalAccessTokenTable, machineKeyTable, idpLinkTable].map((table) => ({
          table,
          drop: { userId },
        })),
        sessionsEnded(event.payload.organizationRemoved ? "organization_removed" : "user_deleted"),
      ];
    default:
      return [];
  }

  // An append has one such act at most, so the epoch before it is the one before the state's.
  function sessionsEnded(reason: EndReason): SideWrite {
    const { actorId, sequence, createdAt: endedAt } = event;
    const put = { userId, epoch: state.sessionEpoch - 1, reason, actorId, endedAt, sequence };
    return { table: userEndingTable, put };
  }
}

function dateOrNull(text: string | undefined): Date | null {
  return text === undefined ? null : new Date(text);
}

function memberWrites(resourceId: string, event: Recorded<OrganizationEvent | InstanceEvent>): SideWrite[] {
  const table = membershipTable;
  switch (event.type) {
    case "org.member.added":
    case "org.member.changed":
    case "instance.member.added":
    case "instance.member.changed": {
      const { userId, roles } = event.payload;
      return [
        {
          table,
          put: { userId, resourceId, roles, createdAt: event.createdAt, changedAt: event.createdAt },
        },
      ];
    }
    case "org.removed":
      return [{ table, drop: { resourceId } }];
    case "org.member.removed":
    case "org.member.cascade.removed":
    case "instance.member.removed":
    case "instance.member.cascade.removed":
      return [{ table, drop: { userId: event.payload.userId, resourceId } }];
    default:
      return [];
  }
}
