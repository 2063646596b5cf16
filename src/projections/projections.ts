import type { InstanceEvent, OrganizationEvent } from "../organization/events.ts";
import { instanceAggregate } from "../organization/instance.ts";
import { organizationAggregate } from "../organization/organization.ts";
import { sessionAggregate } from "../session/session.ts";
import type { Recorded } from "../storage/aggregate.ts";
import type { Projection, Projections, SideWrite } from "../storage/projection.ts";
import {
  INSTANCE_RESOURCE,
  instanceTable,
  membershipTable,
  organizationTable,
  personalAccessTokenTable,
  sessionTable,
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

const user: Projection = {
  aggregate: userAggregate,
  table: userTable,
  sideTables: [personalAccessTokenTable],
  sideWrites: (userId, event, state) =>
    tokenWrites(userId, event as Recorded<UserEvent>, state as unknown as UserState),
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
export const projections: Projections = { session, user, org, instance };

function tokenWrites(userId: string, event: Recorded<UserEvent>, user: UserState): SideWrite[] {
  const table = personalAccessTokenTable;
  switch (event.type) {
    case "user.pat.added": {
      const { tokenId, digest, expiration } = event.payload;
      return [
        {
          table,
          put: {
            id: tokenId,
            digest,
            userId,
            organizationId: user.organizationId,
            expiresAt: expiration === undefined ? null : new Date(expiration),
            createdAt: event.createdAt,
          },
        },
      ];
    }
    case "user.pat.removed":
      return [{ table, drop: { id: event.payload.tokenId } }];
    case "user.removed":
      return [{ table, drop: { userId } }];
    default:
      return [];
  }
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
    case "org.member.removed":
    case "org.member.cascade.removed":
    case "instance.member.removed":
    case "instance.member.cascade.removed":
      return [{ table, drop: { userId: event.payload.userId, resourceId } }];
    default:
      return [];
  }
}
