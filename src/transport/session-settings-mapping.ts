import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Duration, durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Concurrency as ConcurrencyMessage,
  ConcurrencyPolicy,
  type SessionSettings as SessionSettingsMessage,
  type SessionSettingsSchema,
  SessionsAffected as SessionsAffectedNumber,
} from "../gen/gatehouse/session/v1/session_settings_service_pb.js";
import { settingsOf } from "../organization/settings/settings.ts";
import type { Concurrency, SessionSettings, SessionsAffected } from "../storage/instance-settings.ts";

/** What is not said is as on a fresh instance. */
export function fromSessionSettings(message: SessionSettingsMessage | undefined): SessionSettings {
  const { retention } = message ?? {};
  return {
    maxLifetimeMs: fromLifetime(message?.maxLifetime),
    idleLifetimeMs: fromLifetime(message?.idleLifetime),
    concurrency: fromConcurrency(message?.concurrency),
    onPasswordChange: fromSessionsAffected[message?.onPasswordChange ?? SessionsAffectedNumber.UNSPECIFIED],
    onFactorRemoval: fromSessionsAffected[message?.onFactorRemoval ?? SessionsAffectedNumber.UNSPECIFIED],
    retention: retention
      ? { foldAfterDays: retention.foldAfterDays, removeAfterDays: retention.removeAfterDays }
      : settingsOf({ settings: {} }).session.retention,
  };
}

export function fromConcurrency(message: ConcurrencyMessage | undefined): Concurrency {
  return {
    maxSessionsPerUser: message?.maxSessionsPerUser ?? 0,
    policy: message?.policy === ConcurrencyPolicy.END_OLDEST ? "end_oldest" : "refuse",
  };
}

/** Milliseconds, rounded up; null: none. How long is too long is not decided here. */
export function fromLifetime(duration: Duration | undefined): number | null {
  return duration ? Number(duration.seconds) * 1_000 + Math.ceil(duration.nanos / 1e6) : null;
}

export function toSessionSettings(settings: SessionSettings): MessageInitShape<typeof SessionSettingsSchema> {
  const { maxLifetimeMs, idleLifetimeMs, concurrency, onPasswordChange, onFactorRemoval } = settings;
  return {
    ...(maxLifetimeMs === null ? {} : { maxLifetime: durationFromMs(maxLifetimeMs) }),
    ...(idleLifetimeMs === null ? {} : { idleLifetime: durationFromMs(idleLifetimeMs) }),
    concurrency: {
      maxSessionsPerUser: concurrency.maxSessionsPerUser,
      policy: policies[concurrency.policy],
    },
    onPasswordChange: sessionsAffected[onPasswordChange],
    onFactorRemoval: sessionsAffected[onFactorRemoval],
    retention: settings.retention,
  };
}

const policies = {
  refuse: ConcurrencyPolicy.REFUSE,
  end_oldest: ConcurrencyPolicy.END_OLDEST,
} as const satisfies { [policy in Concurrency["policy"]]: ConcurrencyPolicy };

const sessionsAffected = {
  others: SessionsAffectedNumber.OTHERS,
  all: SessionsAffectedNumber.ALL,
  none: SessionsAffectedNumber.NONE,
} as const satisfies { [which in SessionsAffected]: SessionsAffectedNumber };

const fromSessionsAffected: { [affected in SessionsAffectedNumber]: SessionsAffected } = {
  [SessionsAffectedNumber.UNSPECIFIED]: "others",
  [SessionsAffectedNumber.OTHERS]: "others",
  [SessionsAffectedNumber.ALL]: "all",
  [SessionsAffectedNumber.NONE]: "none",
};
