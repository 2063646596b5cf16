/** Timers of Node hold 31 bits of milliseconds (24.8 days); a longer one would fire at once. */
export const maxTimerMs = 2_147_483_647;

const unitMs: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000_001 };

/** Milliseconds of a `grpc-timeout` value such as `250m`; undefined if malformed. */
export function parseGrpcTimeout(value: string): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(value);
  return match === null ? undefined : Number(match[1]) * unitMs[match[2]!]!;
}

/** Shortens deadlines beyond what a timer can hold; malformed values stay, to be refused by the protocol. */
export function clampTimeouts(headers: Headers): void {
  const grpc = headers.get("grpc-timeout");
  if (grpc !== null && (parseGrpcTimeout(grpc) ?? 0) > maxTimerMs) {
    headers.set("grpc-timeout", `${Math.floor(maxTimerMs / 1000)}S`);
  }
  const connect = headers.get("connect-timeout-ms");
  if (connect !== null && /^\d{10}$/.test(connect) && Number(connect) > maxTimerMs) {
    headers.set("connect-timeout-ms", String(maxTimerMs));
  }
}

/** A `grpc-timeout` as `connect-timeout-ms`; malformed values are passed on and refused there. */
export function toConnectTimeout(grpcTimeout: string): string {
  const ms = parseGrpcTimeout(grpcTimeout);
  return ms === undefined ? grpcTimeout : String(Math.min(Math.ceil(ms), maxTimerMs));
}
