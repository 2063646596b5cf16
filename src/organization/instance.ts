import type { Aggregate, Recorded } from "../storage/aggregate.ts";
import type { InstanceRow } from "../storage/tables.ts";
import type { InstanceEvent } from "./events.ts";

/** The folded state of the instance; it is its row. */
export type InstanceState = InstanceRow;

export const instanceAggregate: Aggregate<InstanceState, InstanceEvent> = {
  type: "instance",
  initialState: (id) => ({
    id,
    sequence: 0,
    status: "none",
    defaultOrganizationId: "",
    keyCheck: "",
    maxPasswordAttempts: 0,
    maxOtpAttempts: 0,
    settings: {},
    emailProviders: [],
    smsProviders: [],
    createdAt: new Date(0),
    changedAt: new Date(0),
  }),
  evolve: (state, event) => ({
    ...state,
    sequence: event.sequence,
    changedAt: event.createdAt,
    ...effect(event),
  }),
};

function effect(event: Recorded<InstanceEvent>): Partial<InstanceState> {
  switch (event.type) {
    case "instance.added":
      return {
        status: "active",
        defaultOrganizationId: event.payload.defaultOrganizationId,
        keyCheck: event.payload.keyCheck,
        createdAt: event.createdAt,
      };
    case "instance.policy.lockout.changed":
      return {
        maxPasswordAttempts: event.payload.maxPasswordAttempts,
        maxOtpAttempts: event.payload.maxOtpAttempts ?? 0,
      };
    case "instance.member.added":
    case "instance.member.changed":
    case "instance.member.removed":
    case "instance.member.cascade.removed":
      return {};
    default:
      return event satisfies never;
  }
}
