import type { Caller } from "../../auth/caller.ts";
import { DomainError } from "../../errors.ts";
import type { Details } from "../../storage/details.ts";
import type { Concurrency, SessionSettings } from "../../storage/instance-settings.ts";
import { changeInstance, type SettingsDependencies, sameSetting } from "./change-instance.ts";
import { changeOrganization } from "./change-organization.ts";
import { settingsOf } from "./settings.ts";

/**
 * Replaces the instance's session settings.
 * @throws DomainError `auth.permission_denied`, and what {@link checkSessionSettings} refuses
 */
export function changeSessionSettings(
  dependencies: SettingsDependencies,
  caller: Caller,
  settings: SessionSettings,
): Promise<Details> {
  return changeInstance(dependencies, caller, "iam.policy.write", (instance) => {
    checkSessionSettings(settings);
    return sameSetting(settings, settingsOf(instance).session)
      ? undefined
      : { type: "instance.session.settings.changed", payload: settings };
  });
}

/**
 * Gives an organization a concurrency limit of its own, or another one; from now on the instance's does not concern it.
 * @throws DomainError `auth.permission_denied`, `organization.not_found`, `settings.concurrency_invalid`
 */
export function setOrganizationConcurrency(
  dependencies: SettingsDependencies,
  caller: Caller,
  organizationId: string,
  concurrency: Concurrency,
): Promise<Details> {
  return changeOrganization(dependencies, caller, "policy.write", organizationId, (organization) => {
    checkConcurrency(concurrency);
    return organization.concurrency && sameSetting(concurrency, organization.concurrency)
      ? undefined
      : { type: "org.session.concurrency.set", payload: concurrency };
  });
}

/**
 * Drops an organization's own limit, if it has one: the instance's applies again.
 * @throws DomainError `auth.permission_denied`, `organization.not_found`
 */
export function resetOrganizationConcurrency(
  dependencies: SettingsDependencies,
  caller: Caller,
  organizationId: string,
): Promise<Details> {
  return changeOrganization(dependencies, caller, "policy.delete", organizationId, ({ concurrency }) =>
    concurrency === null ? undefined : { type: "org.session.concurrency.removed", payload: {} },
  );
}

const MINUTE_MS = 60_000;
const MAX_DAYS = 36_500;
const MAX_LIFETIME_MS = MAX_DAYS * 24 * 60 * MINUTE_MS;
const MAX_SESSIONS_PER_USER = 1_000;

/**
 * @throws DomainError `settings.max_lifetime_invalid`, `session.idle_lifetime_invalid`, `settings.concurrency_invalid`,
 *   `settings.fold_after_days_invalid`, `settings.remove_after_days_invalid`, `settings.retention_order_invalid`
 */
export function checkSessionSettings(settings: SessionSettings): void {
  const { maxLifetimeMs, idleLifetimeMs, concurrency, retention } = settings;
  if (maxLifetimeMs !== null && !(maxLifetimeMs > 0 && maxLifetimeMs <= MAX_LIFETIME_MS)) {
    throw new DomainError("settings.max_lifetime_invalid");
  }
  if (idleLifetimeMs !== null) checkIdleLifetime(idleLifetimeMs);
  checkConcurrency(concurrency);
  const { foldAfterDays, removeAfterDays } = retention;
  if (!isDays(foldAfterDays)) throw new DomainError("settings.fold_after_days_invalid");
  if (!isDays(removeAfterDays)) throw new DomainError("settings.remove_after_days_invalid");
  if (removeAfterDays > 0 && removeAfterDays < foldAfterDays) {
    throw new DomainError("settings.retention_order_invalid");
  }
}

/** @throws DomainError `session.idle_lifetime_invalid` */
export function checkIdleLifetime(milliseconds: number): void {
  if (!(milliseconds >= MINUTE_MS && milliseconds <= MAX_LIFETIME_MS)) {
    throw new DomainError("session.idle_lifetime_invalid");
  }
}

function checkConcurrency({ maxSessionsPerUser: limit }: Concurrency): void {
  if (!(Number.isInteger(limit) && limit >= 0 && limit <= MAX_SESSIONS_PER_USER)) {
    throw new DomainError("settings.concurrency_invalid");
  }
}

const isDays = (days: number) => Number.isInteger(days) && days >= 0 && days <= MAX_DAYS;
