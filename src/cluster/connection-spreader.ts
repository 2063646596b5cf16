import type { Worker } from "node:cluster";
import type { Socket } from "node:net";
import type { ToWorker } from "./messages.ts";

/** So many connections may be on their way to a worker: to one that is busy no more are sent than it can lose. */
const UNANSWERED = 4;

type Seat = { worker: Worker; open: number; unanswered: Socket[] };

/**
 * Hands each connection to the worker that has the fewest, and keeps it until the worker says that it has it. So the
 * connections of a worker that dies before go to another one, where node:cluster's own distribution leaves their
 * clients hanging (docs/decisions/0017-workers.md).
 */
export class ConnectionSpreader {
  /** Whoever was given a connection last is last. */
  readonly #seats = new Map<Worker, Seat>();
  #waiting: Socket[] = [];

  /** The worker takes connections from now on. */
  add(worker: Worker): void {
    this.#seats.set(worker, { worker, open: 0, unanswered: [] });
    this.#spread();
  }

  /** It takes no more, and nothing it may still have said is unread. */
  remove(worker: Worker): void {
    const unanswered = this.#seats.get(worker)?.unanswered ?? [];
    this.#seats.delete(worker);
    this.#waiting = [...unanswered, ...this.#waiting];
    this.#spread();
  }

  /** @param socket paused, nothing was read from it */
  take(socket: Socket): void {
    // It is not read here, so whatever goes wrong with it is the worker's to find out.
    socket.on("error", () => {});
    this.#waiting.push(socket);
    this.#spread();
  }

  /** The worker has the connection it was sent first. */
  taken(worker: Worker): void {
    const seat = this.#seats.get(worker);
    if (seat === undefined) return;
    seat.open += 1;
    // Closes this process's handle of it; the connection lives on in the worker.
    seat.unanswered.shift()?.destroy();
    this.#spread();
  }

  closed(worker: Worker): void {
    const seat = this.#seats.get(worker);
    if (seat !== undefined) seat.open -= 1;
  }

  /** Drops what no worker has taken. */
  close(): void {
    for (const socket of this.#waiting) socket.destroy();
    this.#waiting = [];
  }

  #spread(): void {
    while (this.#waiting.length > 0) {
      const able = [...this.#seats.values()].filter(({ unanswered }) => unanswered.length < UNANSWERED);
      if (able.length === 0) return;
      const seat = able.reduce((best, each) => (load(each) < load(best) ? each : best));
      this.#seats.delete(seat.worker);
      this.#seats.set(seat.worker, seat);
      const socket = this.#waiting.shift()!;
      seat.unanswered.push(socket);
      const message: ToWorker = { type: "connection" };
      // A worker that cannot be reached any more is removed in a moment.
      seat.worker.send(message, socket, { keepOpen: true }, () => {});
    }
  }
}

const load = ({ open, unanswered }: Seat): number => open + unanswered.length;
