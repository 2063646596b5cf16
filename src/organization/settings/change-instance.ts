import { isDeepStrictEqual } from "node:util";
import { type Caller, demand, INSTANCE } from "../../auth/caller.ts";
import type { Permission } from "../../auth/roles.ts";
import { change } from "../../storage/aggregate.ts";
import { type Details, detailsOf } from "../../storage/details.ts";
import type { EventRepository } from "../../storage/event-repository.ts";
import type { OrganizationRepository } from "../../storage/organization-repository.ts";
import { INSTANCE_RESOURCE } from "../../storage/tables.ts";
import type { InstanceEvent } from "../events.ts";
import { type InstanceState, instanceAggregate } from "../instance.ts";

export type SettingsDependencies = { events: EventRepository; organizations: OrganizationRepository };

/**
 * Changes a setting of the instance. What is so already stays so, without an event.
 * @param decide the event, or undefined if there is nothing to change
 * @throws DomainError `auth.permission_denied`, and what `decide` refuses
 */
export async function changeInstance(
  { events, organizations }: SettingsDependencies,
  caller: Caller,
  permission: Permission,
  decide: (instance: InstanceState) => InstanceEvent | undefined | Promise<InstanceEvent | undefined>,
): Promise<Details> {
  demand(caller, permission, INSTANCE);
  return events.decide(INSTANCE_RESOURCE, async () => {
    const instance = (await organizations.instance())!;
    const event = await decide(instance);
    if (event === undefined) return detailsOf(instance, instance.id);
    const changed = change(instanceAggregate, instance, [event], caller.userId);
    return detailsOf(changed.state, instance.id, await events.append([changed]));
  });
}

/** Whether two settings say the same, both having every field. */
export function sameSetting<T extends object>(a: T, b: T): boolean {
  return (Object.keys(a) as (keyof T)[]).every((key) => isDeepStrictEqual(a[key], b[key]));
}
