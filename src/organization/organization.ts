import { type Aggregate, evolveBy, type Recorded } from "../storage/aggregate.ts";
import type { OrganizationRow } from "../storage/tables.ts";
import type { OrganizationEvent } from "./events.ts";

/** The folded state of an organization; it is its row. Members have rows of their own. */
export type OrganizationState = OrganizationRow;

export const organizationAggregate: Aggregate<OrganizationState, OrganizationEvent> = {
  type: "org",
  initialState: (id) => ({
    id,
    sequence: 0,
    status: "none",
    name: "",
    nameKey: null,
    primaryDomain: "",
    maxPasswordAttempts: null,
    maxOtpAttempts: null,
    concurrency: null,
    createdAt: new Date(0),
    changedAt: new Date(0),
  }),
  evolve: evolveBy((_, event) => effect(event)),
};

/** Organization names are unique whatever their case. */
export function organizationNameKey(name: string): string {
  return name.trim().toLowerCase();
}

function effect(event: Recorded<OrganizationEvent>): Partial<OrganizationState> {
  switch (event.type) {
    case "org.added":
      return {
        status: "active",
        name: event.payload.name,
        nameKey: organizationNameKey(event.payload.name),
        primaryDomain: event.payload.primaryDomain,
        createdAt: event.createdAt,
      };
    case "org.policy.lockout.added":
    case "org.policy.lockout.changed":
      return {
        maxPasswordAttempts: event.payload.maxPasswordAttempts,
        maxOtpAttempts: event.payload.maxOtpAttempts ?? 0,
      };
    case "org.policy.lockout.removed":
      return { maxPasswordAttempts: null, maxOtpAttempts: null };
    case "org.session.concurrency.set":
      return { concurrency: event.payload };
    case "org.session.concurrency.removed":
      return { concurrency: null };
    case "org.removed":
      return { status: "removed", nameKey: null };
    case "org.member.added":
    case "org.member.changed":
    case "org.member.removed":
    case "org.member.cascade.removed":
      return {};
    default:
      return event satisfies never;
  }
}
