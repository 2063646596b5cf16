import { type Aggregate, evolveBy, type Recorded } from "../storage/aggregate.ts";
import type { InstanceRow } from "../storage/tables.ts";
import { deliveryProvidersAfter } from "./delivery-providers.ts";
import type { InstanceEvent } from "./events.ts";
import { settingsAfter } from "./settings/settings.ts";

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
  evolve: evolveBy(effect),
};

function effect(state: InstanceState, event: Recorded<InstanceEvent>): Partial<InstanceState> {
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
    case "instance.smtp.config.added":
    case "instance.smtp.config.http.added":
    case "instance.smtp.config.activated":
    case "instance.smtp.config.deactivated":
    case "instance.smtp.config.removed":
    case "instance.sms.config.twilio.added":
    case "instance.sms.config.http.added":
    case "instance.sms.config.activated":
    case "instance.sms.config.deactivated":
    case "instance.sms.config.removed":
      return deliveryProvidersAfter(state, event);
    case "instance.member.added":
    case "instance.member.changed":
    case "instance.member.removed":
    case "instance.member.cascade.removed":
      return {};
    default:
      return { settings: settingsAfter(state.settings, event) };
  }
}
