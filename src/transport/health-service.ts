import { EventEmitter, once } from "node:events";
import type { DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../gen/grpc/health/v1/health_pb.js";

/** Whether this process wants calls: it can answer them, and has not been told to stop. */
export class Serving {
  readonly #changes = new EventEmitter().setMaxListeners(0);
  #serving = true;
  #stopped = false;

  get serving(): boolean {
    return this.#serving;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Tells load balancers to stay away, or to come back. */
  set(serving: boolean): void {
    const wanted = serving && !this.#stopped;
    if (wanted === this.#serving && !this.#stopped) return;
    this.#serving = wanted;
    this.#changes.emit("change");
  }

  /** For good: whoever watches hears it and is let go. */
  stop(): void {
    this.#stopped = true;
    this.set(false);
  }

  /** Resolves at the next change, or when the signal is aborted. */
  async changed(signal: AbortSignal): Promise<void> {
    await once(this.#changes, "change", { signal }).catch(() => {});
  }
}

/**
 * Registers `grpc.health.v1.Health`. It knows the empty name (the process) and every registered service.
 * @param services asked per call, since this service itself is one of them
 */
export function healthService(
  router: ConnectRouter,
  serving: Serving,
  services: () => readonly DescService[],
): void {
  const statusOf = (name: string): Status => {
    if (name !== "" && !services().some((service) => service.typeName === name))
      return Status.SERVICE_UNKNOWN;
    return serving.serving ? Status.SERVING : Status.NOT_SERVING;
  };

  router.service(Health, {
    check({ service }) {
      const status = statusOf(service);
      if (status === Status.SERVICE_UNKNOWN) throw new ConnectError("unknown service", Code.NotFound);
      return { status };
    },
    async *watch({ service }, { signal }) {
      let told: Status | undefined;
      while (!signal.aborted) {
        const status = statusOf(service);
        if (status !== told) {
          told = status;
          yield { status };
        } else if (serving.stopped) {
          return;
        } else {
          await serving.changed(signal);
        }
      }
      throw signal.reason;
    },
  });
}
