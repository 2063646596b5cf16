import type { Concurrency } from "../storage/instance-settings.ts";
import type { DeliveryProviderEvent } from "./delivery-providers.ts";
import type { SettingsEvent } from "./settings/events.ts";

/** Every event of an organization. */
export type OrganizationEvent =
  | { type: "org.added"; payload: { name: string; primaryDomain: string } }
  | { type: "org.member.added"; payload: { userId: string; roles: string[] } }
  | { type: "org.member.changed"; payload: { userId: string; roles: string[] } }
  | { type: "org.member.removed"; payload: { userId: string } }
  /** The member's user was removed. */
  | { type: "org.member.cascade.removed"; payload: { userId: string } }
  /** From now on the organization's own limit applies, not the instance's. 0: never lock. */
  | { type: "org.policy.lockout.added"; payload: LockoutLimits }
  | { type: "org.policy.lockout.changed"; payload: LockoutLimits }
  | { type: "org.policy.lockout.removed"; payload: Record<string, never> }
  /** From now on the organization's own limit of sessions per user applies, not the instance's. */
  | { type: "org.session.concurrency.set"; payload: Concurrency }
  | { type: "org.session.concurrency.removed"; payload: Record<string, never> }
  | { type: "org.removed"; payload: Record<string, never> };

/** Every event of the instance: the one everything else belongs to. */
export type InstanceEvent =
  /** `keyCheck` tells the master key from every other, and nothing more. */
  | { type: "instance.added"; payload: { defaultOrganizationId: string; keyCheck: string } }
  | { type: "instance.member.added"; payload: { userId: string; roles: string[] } }
  | { type: "instance.member.changed"; payload: { userId: string; roles: string[] } }
  | { type: "instance.member.removed"; payload: { userId: string } }
  | { type: "instance.member.cascade.removed"; payload: { userId: string } }
  | { type: "instance.policy.lockout.changed"; payload: LockoutLimits }
  | DeliveryProviderEvent
  | SettingsEvent;

/** Wrong passwords, and wrong answers of each other factor that counts, in a row until the user is locked; 0: never. */
type LockoutLimits = { maxPasswordAttempts: number; maxOtpAttempts?: number };
